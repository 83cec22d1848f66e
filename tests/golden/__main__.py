"""Accepts the pod templates as they are now: `python -m tests.golden`."""

from tests.golden import accept

changed = accept()
print("\n".join(f"changed: {example}" for example in changed) or "nothing changed")
if changed:
    print("These pods restart when their owners upgrade. CHANGELOG.md has to say so, and why.")
