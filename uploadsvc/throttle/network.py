"""Whom an address belongs to."""

import ipaddress


def network_of(remote_addr: str) -> str:
    """Return the address, or the /64 network of an IPv6 one: a household has 2^64 of them.

    An IPv4 address in IPv6's clothes (RFC 4291 §2.5.5.2) is the IPv4 address.
    """
    try:
        address = ipaddress.ip_address(remote_addr)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.IPv6Network((int(address), 64), strict=False))
