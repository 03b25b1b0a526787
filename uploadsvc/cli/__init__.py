"""The operator's commands: `flask --app wsgi serve | users … | documents … | storage … | database … | sweep | …`."""

from flask import Blueprint

from .backup import backup
from .database import database
from .documents import documents
from .maintenance import sweep, verify
from .requests import requests
from .restore import restore
from .serve import serve
from .storage import storage
from .tokens import tokens
from .users import seed, users

bp = Blueprint("commands", __name__, cli_group=None)
for command in (serve, users, tokens, requests, documents, storage, database, seed, sweep, verify, backup, restore):
    bp.cli.add_command(command)
