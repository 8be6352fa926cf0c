"""A real Kubernetes control plane on this machine, for the demo and the tests.

Etcd, the API server, its controllers and scheduler run as ordinary processes; kwok plays the nodes.
It is no place to run containers: pods become Ready, or end, without a program in them.
"""
