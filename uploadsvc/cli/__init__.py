"""The operator's commands: `flask --app wsgi serve | users … | tokens … | seed | sweep | verify`."""

from flask import Blueprint

from .maintenance import sweep, verify
from .serve import serve
from .tokens import tokens
from .users import seed, users

bp = Blueprint("commands", __name__, cli_group=None)
for command in (serve, users, tokens, seed, sweep, verify):
    bp.cli.add_command(command)
