"""What texts of several parts of a spec may be."""

import re

from whipstaff.helmrelease.fields import TextRule

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
SUBDOMAIN = re.compile(rf"{LABEL.pattern}(\.{LABEL.pattern})*")

NAMESPACE = TextRule(LABEL, 63, "the name of a namespace")
SECRET_NAME = TextRule(SUBDOMAIN, 253, "the name of a Secret")
OBJECT_NAME = TextRule(SUBDOMAIN, 253, "the name of an object")
DATA_KEY = TextRule(re.compile(r"[-._a-zA-Z0-9]+"), 253, "a key of a ConfigMap or Secret")
