"""Asks DuckDB the questions that come as JSON on standard input, and prints answers and times as JSON.

In:  {"files": [path], "table": name, "threads": n, "repeat": n, "questions": [{"name", "forms": {form: sql}}]}
Out: {"version": text, "answers": [{"name", "form", "rows": [[text]], "seconds": [number]}]}
"""

import json
import sys
import time

import duckdb

task = json.load(sys.stdin)
connection = duckdb.connect()
connection.execute(f"SET threads = {int(task['threads'])}")
connection.execute("SET TimeZone = 'UTC'")
# It would be drawn on standard output.
connection.execute("SET enable_progress_bar = false")
# Files do not change: their footers are read once, as Tidemark does.
connection.execute("SET parquet_metadata_cache = true")
files = ", ".join("'" + path.replace("'", "''") + "'" for path in task["files"])
connection.execute(f"CREATE VIEW {task['table']} AS SELECT * FROM read_parquet([{files}])")


def ask(sql):
    rows = connection.execute(sql).fetchall()
    return [["null" if cell is None else str(cell) for cell in row] for row in rows]


answers = []
for question in task["questions"]:
    for form, sql in question["forms"].items():
        rows = ask(sql)
        seconds = []
        for _ in range(task["repeat"]):
            started = time.perf_counter()
            again = ask(sql)
            seconds.append(time.perf_counter() - started)
            if again != rows:
                sys.exit(f"DuckDB answers {question['name']} with {rows} and then with {again}")
        print(f"DuckDB, {question['name']}, {form}: {min(seconds):.3f} s at best", file=sys.stderr)
        answers.append({"name": question["name"], "form": form, "rows": rows, "seconds": seconds})
print(json.dumps({"version": duckdb.__version__, "answers": answers}))
