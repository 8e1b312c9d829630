"""What people suspect of leaking, as steps: `tightship leaks run tightship.leaks.cases.queue:failed`.

Each module is one suspect. Its public functions are steps; `NAME_cured` is NAME with the cure. `NEEDS` names the
packages that a module wants, by what is imported; they are imported in the step, so every module loads without them.
Nothing in tightship imports these modules. `make atlas` runs all of them and writes docs/leaks/atlas.md.
"""
