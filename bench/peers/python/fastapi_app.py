"""FastAPI's UploadFile, copied to a file. It leaves out accounts, rows, types, hashes and fsync.

usage: FOLDER=… uvicorn fastapi_app:app
"""

import os
import uuid
from pathlib import Path

from fastapi import FastAPI, UploadFile

uploads = Path(os.environ["FOLDER"], "uploads")
uploads.mkdir(parents=True, exist_ok=True)
app = FastAPI()


@app.post("/api/upload")
async def upload(file: UploadFile):
    with (uploads / uuid.uuid4().hex).open("wb") as out:
        while piece := await file.read(1 << 20):
            out.write(piece)
    return {"ok": True, "files": [{"filename": file.filename, "size": file.size}]}
