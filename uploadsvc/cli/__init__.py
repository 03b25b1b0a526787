"""The operator's commands: `flask --app wsgi serve | users … | tokens … | documents … | database … | sweep | …`."""

from flask import Blueprint

from .backup import backup
from .database import database
from .documents import documents
from .maintenance import sweep, verify
from .restore import restore
from .serve import serve
from .tokens import tokens
from .users import seed, users

bp = Blueprint("commands", __name__, cli_group=None)
for command in (serve, users, tokens, documents, database, seed, sweep, verify, backup, restore):
    bp.cli.add_command(command)
