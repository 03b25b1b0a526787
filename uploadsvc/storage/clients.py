"""What speaks to a store of objects: boto3's client, with our settings."""

from typing import Any

import boto3
from botocore.config import Config

from .kinds import BucketSettings

_CONNECTIONS = 4  # kept open for each place: downloads that pass through hold some too
_PATIENCE: dict[str, dict[str, Any]] = {
    "store": {
        "connect_timeout": 5,
        "read_timeout": 60,
        "retries": {"mode": "standard", "total_max_attempts": 3},
    },
    "probe": {"connect_timeout": 2, "read_timeout": 2, "retries": {"total_max_attempts": 1}},
}


def client_of(given: BucketSettings, name: str) -> Any:
    """Return a client of the `store`, or a `probe`, which waits for nobody. It serves all threads."""
    config = Config(
        signature_version="s3v4",
        s3={"addressing_style": "path" if given.endpoint else "auto"},
        max_pool_connections=_CONNECTIONS * given.places,
        **_PATIENCE[name],
    )
    return boto3.session.Session().client(
        "s3",
        region_name=given.region or ("us-east-1" if given.endpoint else None),
        endpoint_url=given.endpoint or None,
        aws_access_key_id=given.key or None,
        aws_secret_access_key=given.secret or None,
        aws_session_token=given.session_token or None,
        config=config,
    )
