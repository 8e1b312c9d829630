"""How the HTML report looks, in light and in dark."""

from __future__ import annotations

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5a6473; --paper: #ffffff; --card: #f5f7fa;
  --line: #d7dde5; --sample: #2563a8; --fit: #b3261e; --growing: #a3161a; --undecided: #7a5200; --steady: #17663a; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --quiet: #a3adbb; --paper: #12161c; --card: #1b212a;
  --line: #37404d; --sample: #7db7f0; --fit: #ff8a80; --growing: #ff9a94; --undecided: #f2c55c; --steady: #79d49b; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
.facts, .note { color: var(--quiet); margin: 0 0 1rem; }
.verdict { font-weight: 700; white-space: nowrap; }
.growing { color: var(--growing); } .undecided { color: var(--undecided); } .steady { color: var(--steady); }
.scroll { overflow-x: auto; margin: 1.5rem 0; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; white-space: nowrap; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem; margin: 1rem 0; }
svg { display: block; width: 100%; height: auto; }
.grid { stroke: var(--line); } .axis { fill: var(--quiet); font-size: 12px; }
.sample { fill: var(--sample); } .fit { stroke: var(--fit); stroke-width: 2.5; }
code, pre { font: .875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
ul { padding-left: 1.25rem; } a { color: var(--sample); } a:focus-visible { outline: 3px solid var(--sample); }
""".strip()
