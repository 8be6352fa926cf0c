"""Programs for those who work on Whipstaff: a real control plane, a chart repository, the demo.

Nothing here is installed with the operator, and the operator imports nothing from here.
"""
