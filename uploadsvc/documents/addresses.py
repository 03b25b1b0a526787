"""Which addresses are a document's: not those that have a name of their own beside them."""

from collections.abc import Mapping
from typing import Any

from flask.blueprints import BlueprintSetupState
from werkzeug.routing import BaseConverter, Rule


class _Id(BaseConverter):
    """What may be an id, good or bad."""

    regex = r"(?!zip\Z)[^/]+"
    part_isolating = True


class _Rule(Rule):
    """A rule that takes no other address for a document's, whose methods are others (RFC 9110 §15.5.6).

    Its text, by which logs and figures name a route, stays as it is; a converter would have to stand in it.
    """

    def get_converter(
        self, variable_name: str, converter_name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> BaseConverter:
        if variable_name == "document_id":
            return _Id(self.map)
        return super().get_converter(variable_name, converter_name, args, kwargs)


def tell_apart(state: BlueprintSetupState) -> None:
    """Let the rules of the application that are added from here on be such."""
    state.app.url_rule_class = _Rule
