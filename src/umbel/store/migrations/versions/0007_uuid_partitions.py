"""The index of uuids is cut by id, as that of run times is, and both into smaller partitions.

An index that stands for UNIQUE can't be dropped, so the table is made anew: 20 s for a million tasks. For that time
the history takes three times its room on disk, and a half more until retention gives it back.
"""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Copy all rows; ids stay as they are."""
    run = op.get_bind().exec_driver_sql
    made = run("SELECT type, name, sql FROM sqlite_schema WHERE tbl_name = 'tasks' AND sql IS NOT NULL").all()
    ((_, _, table),) = (each for each in made if each[0] == "table")
    others = [each for each in made if each[0] != "table"]
    for kind, name, _ in others:
        run(f"DROP {kind} {name}")
    run("ALTER TABLE tasks RENAME TO tasks_before")
    run(table.replace(", \n\tUNIQUE (uuid)", ""))
    run("INSERT INTO tasks SELECT * FROM tasks_before ORDER BY id")
    run("DROP TABLE tasks_before")
    for _, name, sql in others:
        if name != "tasks_runtime":
            run(sql)
    # the texts are those of `store.schema`: SQLite keeps them as they were written
    run("CREATE INDEX tasks_runtime ON tasks (id >> 16, runtime)")
    run("CREATE UNIQUE INDEX tasks_uuid ON tasks (id >> 16, uuid)")
