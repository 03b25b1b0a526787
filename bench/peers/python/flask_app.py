"""What Flask's documentation leads to in ten minutes: request.files on waitress as it comes, a token, a row.

It leaves out types, hashes and fsync, and may leave a file without a row.
usage: python flask_app.py PORT FOLDER
"""

import sqlite3
import sys
import threading
import uuid
from datetime import timedelta
from pathlib import Path

import waitress
from flask import Flask, request
from flask_jwt_extended import JWTManager, create_access_token, jwt_required

port, folder = int(sys.argv[1]), Path(sys.argv[2])
uploads = folder / "uploads"
uploads.mkdir(parents=True, exist_ok=True)
app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = "only-for-measuring-of-more-than-32-bytes"
JWTManager(app)
threads = threading.local()


def database():
    """Lend this thread's connection."""
    if not hasattr(threads, "database"):
        threads.database = sqlite3.connect(folder / "app.db", isolation_level=None)
        threads.database.execute("pragma journal_mode = wal")
        threads.database.execute("pragma synchronous = normal")
        threads.database.execute("create table if not exists documents (id integer primary key, name text, path text)")
    return threads.database


@app.post("/api/upload")
@jwt_required()
def upload():
    file = request.files["file"]
    target = uploads / uuid.uuid4().hex
    file.save(target)
    database().execute("insert into documents (name, path) values (?, ?)", (file.filename, str(target)))
    return {"ok": True, "files": [{"filename": file.filename}]}


with app.app_context():
    (folder / "token").write_text(create_access_token("1", expires_delta=timedelta(days=1)))
waitress.serve(app, host="127.0.0.1", port=port)
