"""Who is at the other end: the address that is believed, behind configured proxies only."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.types import Scope

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """The proxies whose X-Forwarded-For is believed; nobody else's is."""

    networks: tuple[Network, ...]

    @classmethod
    def of(cls, entries: Sequence[str]) -> TrustedProxies:
        """From TRUSTED_PROXIES. Raises ValueError for what is no address or network."""
        return cls(tuple(ipaddress.ip_network(entry, strict=False) for entry in entries))

    def trusts(self, address: str) -> bool:
        """Whether this is one of ours."""
        parsed = _address(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    def client_address(self, scope: Scope) -> str | None:
        """The caller's address: the last one in the chain that none of our proxies is.

        Read from the right: what stands left of the first foreign address was written by the
        caller itself, and an attacker who writes it must not choose whom the limits count.
        """
        peer = scope.get("client")
        if not peer:
            return None
        address = str(peer[0])
        if not self.networks or not self.trusts(address):
            return address
        for hop in reversed(_forwarded_for(scope)):
            if _address(hop) is None:
                return address
            address = hop
            if not self.trusts(hop):
                return address
        return address

    def is_loopback(self, scope: Scope) -> bool:
        """Whether the caller is on this machine, and no proxy that we don't know is between.

        A proxy on this machine that is not in TRUSTED_PROXIES would make every caller look local.
        """
        address = self.client_address(scope)
        parsed = _address(address) if address else None
        if parsed is None or not parsed.is_loopback:
            return False
        peer = str(scope["client"][0])
        return self.trusts(peer) or not _is_forwarded(scope)


def _forwarded_for(scope: Scope) -> list[str]:
    joined = ",".join(
        value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"
    )
    return [hop.strip() for hop in joined.split(",") if hop.strip()]


def _is_forwarded(scope: Scope) -> bool:
    marks = {b"x-forwarded-for", b"forwarded", b"x-real-ip", b"via"}
    return any(name in marks for name, _ in scope["headers"])


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed
