"""The server that bench/run started: SQL, contents, CPU."""
import os
import subprocess

SQL = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sql")


class Refused(Exception):
    """No figure is worth printing."""


class Server:
    def __init__(self):
        self.bin = os.environ["PG_BIN"]
        self.port = os.environ["PG_PORT"]
        self.socket = os.environ["PG_SOCKET"]
        with open(os.path.join(os.environ["PG_DATA"], "postmaster.pid"), encoding="ascii") as f:
            self.postmaster = int(f.readline())
        self.version = self.sql("postgres", "SHOW server_version").split()[0]

    def reset(self):
        """Databases src and dst, empty."""
        for name in ("src", "dst", "many"):
            self.sql("postgres", f"DROP DATABASE IF EXISTS {name}")
        for name in ("src", "dst"):
            self.sql("postgres", f"CREATE DATABASE {name}")

    def psql(self, database, *arguments):
        """psql over TCP, as a rival uses it."""
        return [f"{self.bin}/psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1",
                "-p", self.port, "-U", "postgres", "-d", database, *arguments]

    def _run(self, database, arguments, text=None):
        command = [f"{self.bin}/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                   "-h", self.socket, "-p", self.port, "-U", "postgres", "-d", database, *arguments]
        done = subprocess.run(command, input=text, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise Refused(f"psql, {database}: {done.stderr.strip()}")
        return done.stdout.strip()

    def sql(self, database, text):
        """Statements, each in a transaction of its own."""
        return self._run(database, ["-f", "-"], text)

    def file(self, database, name, **variables):
        """A file of bench/sql."""
        settings = [a for k, v in variables.items() for a in ("-v", f"{k}={v}")]
        return self._run(database, [*settings, "-f", os.path.join(SQL, name + ".sql")])

    def content(self, database, table, by_text=False):
        """'rows|hash' of schema.table. Hashes of records need PostgreSQL 14."""
        if by_text or int(self.version.split(".")[0]) < 14:
            return self.file(database, "content_text", content=table)
        return self.file(database, "content", content=table)

    def cpu(self):
        """Seconds of the server's processes that have ended: the connections' backends."""
        with open(f"/proc/{self.postmaster}/stat", encoding="ascii") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")
