"""The gateway's pages for people: releases, each with its revisions, objects, values and edits.

They tell what the gateway's functions for programs tell, and know no other way to the cluster.
Nothing on them runs but one script of their own, and without it they do all that they do.
"""
