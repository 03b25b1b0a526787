-- For wrk: repeat one upload. BODY is the file with the multipart body; BOUNDARY and AUTHORIZATION come along with it.
local file = assert(io.open(os.getenv("BODY"), "rb"))
wrk.method, wrk.body = "POST", file:read("*a")
file:close()
wrk.headers["Content-Type"] = "multipart/form-data; boundary=" .. os.getenv("BOUNDARY")
wrk.headers["Authorization"] = os.getenv("AUTHORIZATION")
