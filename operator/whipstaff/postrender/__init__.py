"""Change rendered objects as a HelmRelease says: patches, images, labels and annotations.

Everything here is a function of one object and the instructions: what kustomize does with its own
fields of the same names, without files, plugins or a look at other objects.
"""
