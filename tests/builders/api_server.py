"""Clients of a control plane that runs."""

from contextlib import asynccontextmanager

from whipstaff.kube.client import Client
from whipstaff.kube.connection import Kubeconfig


@asynccontextmanager
async def a_client(control_plane, **options):
    connection = await Kubeconfig.open(control_plane.kubeconfig)
    async with Client(connection, **options) as client:
        yield client
