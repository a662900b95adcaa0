"""A repository of a registry, as push and pull open it."""

from __future__ import annotations

from vendorpack.console import Console
from vendorpack.fetch.http import Client
from vendorpack.model import Access
from vendorpack.oci.logins import find_login
from vendorpack.oci.reference import Reference
from vendorpack.oci.registry import Repository
from vendorpack.policy import Policy
from vendorpack.progress import Progress
from vendorpack.project import Host


def open_repository(
    reference: Reference, progress: Progress, console: Console, host: Host, writing: bool
) -> Repository:
    """A repository with the credentials that docker has for it. `writing`: to push to it."""

    def connect(access: Access, policy: Policy) -> Client:
        return Client(
            access,
            policy,
            environ=host.environ,
            home=host.home,
            on_bytes=progress.add_bytes,
            on_retry=console.say,
        )

    return Repository(
        reference,
        connect=connect,
        find_login=lambda: find_login(reference, host),
        writing=writing,
    )
