"""Clients of databases, each in the container of its server: what they print, what stays, and what they refuse."""

from __future__ import annotations

import pytest

from clusterlab.runtime import scripts, sessions
from clusterlab.runtime.records import Mount
from tests.runtime.test_shell import Node

MYSQL = ("mysql", "-uroot", "-ppw")


@pytest.fixture
def node() -> Node:
    return Node()


def ask(node: Node, container: str, *command: str, stdin: str = "") -> tuple[int, str, str]:
    return scripts.execute(node.runtime, node.get(container), command, stdin)[:3]


def mysql(node: Node) -> str:
    made = node.start(image="mysql:8.0", env=(("MYSQL_ROOT_PASSWORD", "pw"),), mounts=(Mount("claim", "/var/lib/mysql"),))
    node.run(10)
    return made


def test_mysql_keeps_rows_in_its_volume(node: Node) -> None:
    first = mysql(node)
    script = """CREATE DATABASE shop; USE shop;
        CREATE TABLE items (id INT NOT NULL AUTO_INCREMENT, name VARCHAR(50), PRIMARY KEY (id)) ENGINE=InnoDB;
        INSERT INTO items (name) VALUES ('tea'), ("coffee"); -- two
        SELECT * FROM items WHERE name LIKE 't%';"""
    assert ask(node, first, *MYSQL, stdin=script)[1] == "id\tname\n1\ttea\n"
    node.runtime.crash(first)
    again = mysql(node)
    assert ask(node, again, *MYSQL, "-t", "-e", "SELECT name, id FROM shop.items")[1] == (
        "+--------+----+\n| name   | id |\n+--------+----+\n| tea    |  1 |\n| coffee |  2 |\n+--------+----+\n")


@pytest.mark.parametrize(("command", "error"), [
    (("mysql", "-uroot", "-e", "select 1"), "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: NO)"),
    ((*MYSQL, "nope", "-e", "select 1"), "ERROR 1049 (42000): Unknown database 'nope'"),
    ((*MYSQL, "-e", "select * from t"), "ERROR 1046 (3D000) at line 1: No database selected"),
    ((*MYSQL, "-e", "create table t (a int)"), "ERROR 1046 (3D000) at line 1: No database selected"),
    ((*MYSQL, "-e", "create database d; use d; select * from t"), "ERROR 1146 (42S02) at line 1: Table 'd.t' doesn't exist"),
    ((*MYSQL, "-e", "selec 1"), "ERROR 1064 (42000) at line 1: You have an error in your SQL syntax;"),
    ((*MYSQL, "-e", "select @@nothing"), "ERROR 1193 (HY000) at line 1: Unknown system variable 'nothing'"),
    ((*MYSQL, "-e", "attach ':memory:' as x"), "ERROR 1064 (42000) at line 1: You have an error in your SQL syntax;"),
    ((*MYSQL, "-e", "with recursive r(n) as (select 1 union all select n + 1 from r) select count(*) from r"), "ERROR 3024 (HY000)"),
])
def test_mysql_refuses_in_its_own_words(node: Node, command: tuple[str, ...], error: str) -> None:
    code, _, err = ask(node, mysql(node), *command)
    assert code == 1 and error in err


def test_a_prompt_of_mysql(node: Node) -> None:
    said = sessions.open_session(node.runtime, node.get(mysql(node)), ("mysql", "-uroot", "-p"), True)
    assert said.out == "Enter password: "
    shown = []
    for line in ("pw", "create database d;", "use d", "select 1 as", "one;", "nonsense;", "exit"):
        said = sessions.say(node.runtime, said.session, line + "\n")
        shown.append(said.out)
    assert shown[0].startswith("Welcome to the MySQL monitor.") and shown[0].endswith("\n\nmysql> ")
    assert shown[1:4] == ["Query OK, 1 row affected (0.01 sec)\n\nmysql> ", "Database changed\nmysql> ", "    -> "]
    assert shown[4] == "+-----+\n| one |\n+-----+\n|   1 |\n+-----+\n1 row in set (0.00 sec)\n\nmysql> "
    assert shown[5].startswith("ERROR 1064 (42000): You have") and (said.out, said.code) == ("Bye\n", 0)


def test_a_backup_of_mysql_is_a_stream(node: Node) -> None:
    """What the replicated StatefulSet of the tutorials does: clone a peer, and read only."""
    box = mysql(node)
    ask(node, box, *MYSQL, "-e", "create database d; create table d.t (a int); insert into d.t values (7)")
    assert ask(node, box, "sh", "-c", "mkdir /copy; xtrabackup --backup --stream=xbstream | xbstream -x -C /copy")[0] == 0
    assert ask(node, box, "cat", "/copy/xtrabackup_binlog_info")[1] == "mysql-bin.000003\t154\n"
    layer = f"uid/#{box}"
    assert any("INSERT" in text for name, text in node.runtime.volumes[layer].items() if name.startswith("\0sql/d"))
    node.runtime.crash(box)
    node.runtime.volumes["conf"] = {"replica.cnf": "[mysqld]\nsuper-read-only\n"}
    replica = node.start(image="mysql:5.7", env=(("MYSQL_ALLOW_EMPTY_PASSWORD", "1"),), mounts=(
        Mount("claim", "/var/lib/mysql"), Mount("conf", "/etc/mysql/conf.d")))
    node.run(10)
    assert ask(node, replica, "mysql", "-Ne", "select a from d.t")[1] == "7\n"
    assert "ERROR 1290 (HY000)" in ask(node, replica, "mysql", "-e", "insert into d.t values (8)")[2]


def test_psql(node: Node) -> None:
    box = node.start(image="postgres:16", env=(("POSTGRES_PASSWORD", "s"), ("POSTGRES_DB", "shop")))
    node.run(10)
    made = ask(node, box, "psql", "-U", "postgres", "shop", "-c", "create table t (id serial primary key, name text)",
               "-c", "insert into t (name) values ('a'), ('bc'); select * from t", "-c", "selec 1")
    assert made == (1, "CREATE TABLE\nINSERT 0 2\n id | name \n----+------\n  1 | a\n  2 | bc\n(2 rows)\n\n",
                    'ERROR:  syntax error at or near "selec"\nLINE 1: selec 1\n        ^\n')
    assert ask(node, box, "psql", "-U", "postgres", "-d", "shop", "-tAc", "select count(*) from t")[1] == "2\n"
    code, _, err = ask(node, box, "psql", "-c", "select 1")
    assert code == 2 and 'FATAL:  role "root" does not exist' in err


def test_a_prompt_of_redis(node: Node) -> None:
    box = node.start(image="redis:7")
    node.run(5)
    said = sessions.open_session(node.runtime, node.get(box), ("redis-cli",), True)
    shown = [said.out]
    for line in ("CONFIG GET maxmemory", "set a 'b c'", "get a", "get x", "incr n", "nope", "exit"):
        said = sessions.say(node.runtime, said.session, line + "\n")
        shown.append(said.out.removesuffix("127.0.0.1:6379> "))
    assert shown == ["127.0.0.1:6379> ", '1) "maxmemory"\n2) "0"\n', "OK\n", '"b c"\n', "(nil)\n", "(integer) 1\n",
                     "(error) ERR unknown command 'nope', with args beginning with: \n", ""] and said.code == 0
    assert ask(node, box, "redis-cli", "get", "a")[1] == "b c\n"
