"""Plans in memory; tests/contracts/test_plan_store.py holds the fake to the real thing."""

from dataclasses import replace


class FakePlanStore:
    """`kept` has (plan, revision) for each HelmRelease by (namespace, name)."""

    def __init__(self):
        self.kept = {}

    async def write(self, head, plan, revision, identity):
        self.kept[head.namespace, head.name] = plan, replace(revision, labels={})
        return f"whipstaff.plan.{head.name}"

    async def read(self, head, identity):
        plan = self.kept.get((head.namespace, head.name))
        return None if plan is None else plan[1]

    async def delete(self, head, identity):
        self.kept.pop((head.namespace, head.name), None)
