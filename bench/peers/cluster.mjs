// Several processes of a Node server on its one port, by Node's own module.
// usage: node cluster.mjs PROCESSES SERVER [ARGUMENT ...]
import cluster from 'node:cluster';

const [processes, exec, ...args] = process.argv.slice(2);
cluster.setupPrimary({ exec, args });
for (let n = 0; n < Number(processes); n++) cluster.fork();
