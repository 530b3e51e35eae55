#!/bin/bash
# Authentication and TLS against a real server: every method, every sslmode, every place a password
# may come from; and no password in any output, whatever the log level.
. "$(dirname "$0")/../lib/tap.sh"
. "$ROOT/tests/lib/pg.sh"
. "$ROOT/tests/lib/pipeline.sh"
# The compiled connectors stay where they are when HOME changes.
export RAPIDBYTE_CACHE_DIR=${RAPIDBYTE_CACHE_DIR:-$HOME/.cache/rapidbyte/aot}
unset PGPASSWORD PGPASSFILE
export HOME=$TAP_DIR/home
mkdir "$HOME"
pg_start main || bail "no PostgreSQL"
databases
password=open-sesame-7
wrong=not-the-password-9
p=$TAP_DIR/p.yaml

pg_sql <<SQL
SET password_encryption = 'scram-sha-256';
CREATE ROLE by_trust LOGIN;
CREATE ROLE by_password LOGIN PASSWORD '$password';
CREATE ROLE by_scram LOGIN PASSWORD '$password';
CREATE ROLE tls_only LOGIN PASSWORD '$password';
CREATE ROLE plain_only LOGIN PASSWORD '$password';
CREATE ROLE by_cert LOGIN;
SET password_encryption = 'md5';
CREATE ROLE by_md5 LOGIN PASSWORD '$password';
SQL
src_sql 'CREATE VIEW who AS SELECT current_user::text AS who, (SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()) AS encrypted;
    GRANT SELECT ON who TO PUBLIC'
pg_as_owner tee "$PG_DATA/pg_hba.conf" >/dev/null <<'HBA'
local     all by_scram scram-sha-256
local     all all trust
host      all postgres   127.0.0.1/32 trust
host      all by_trust   127.0.0.1/32 trust
host      all by_password 127.0.0.1/32 password
host      all by_md5     127.0.0.1/32 md5
host      all by_scram   127.0.0.1/32 scram-sha-256
hostssl   all tls_only   127.0.0.1/32 scram-sha-256
hostnossl all plain_only 127.0.0.1/32 scram-sha-256
hostssl   all by_cert    127.0.0.1/32 cert
HBA
pg_sql 'SELECT pg_reload_conf()' >/dev/null

# document <user> <members of the source's config>: who, from src to raw.who; $destination is the destination's config.
destination="host: 127.0.0.1, port: $PG_PORT, user: postgres, sslmode: disable"
document() {
    local config="user: $1, database: src, schema: public${2:+, $2}"
    [[ $config == *', host: '* ]] || config="host: 127.0.0.1, $config"
    [[ $config == *', port: '* ]] || config="port: $PG_PORT, $config"
    cat >"$p" <<YAML
version: "1.0"
pipeline: auth
source:
  use: source-postgres
  config: { $config }
  streams: [who]
destination:
  use: dest-postgres
  config: { $destination, database: dst, schema: raw, load_method: copy }
  write_mode: replace
state: { connection: ./state.db }
resources: { max_retries: 0 }
YAML
}

# lets_in <t|f> <name> <user> <config>: it runs, and the source's session was encrypted or not.
lets_in() {
    document "$3" "${4:-}"
    run_is 0 "$2" "$RAPIDBYTE" run "$p" --log-level trace
    printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"
    is "$(dst_sql 'SELECT * FROM raw.who')" "$3|$1" "$2: as whom, and whether encrypted"
    dst_sql 'DROP TABLE IF EXISTS raw.who' 2>/dev/null
}

# keeps_out <what is said> <name> <user> <config>
keeps_out() {
    document "$3" "${4:-}"
    run_is 3 "$2" "$RAPIDBYTE" discover "$p" --log-level trace
    printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"
    like "$stderr" "$1" "$2: what is said"
}

# The methods, without TLS.
lets_in f "trust" by_trust
lets_in f "trust with a password that nobody asks for" by_trust "password: $wrong"
for method in password md5 scram; do
    lets_in f "$method" "by_$method" "password: $password"
    keeps_out 'password authentication failed for user "by_'$method'"' "$method: a wrong password" "by_$method" "password: $wrong"
    keeps_out 'asks for a password' "$method: no password" "by_$method"
done
keeps_out 'no pg_hba.conf entry' "a role without a rule" nobody "password: $password"

# Where a password may come from.
export PGPASSWORD=$password
lets_in f "PGPASSWORD" by_scram
export PGPASSWORD=$wrong
lets_in f "the document goes before PGPASSWORD" by_scram "password: $password"
unset PGPASSWORD
printf '# a comment\n127.0.0.1:%s:other:*:%s\n127.0.0.1:%s:src:by_scram:%s\nlocalhost:*:*:by_scram:%s\n' "$PG_PORT" "$wrong" "$PG_PORT" "$password" "$password" >"$HOME/.pgpass"
chmod 600 "$HOME/.pgpass"
lets_in f "$HOME/.pgpass" by_scram
lets_in f "a socket's directory, and .pgpass" by_scram "host: $PG_SOCKET"
lets_in f "a socket's directory, sslmode has no meaning there" by_scram "host: $PG_SOCKET, sslmode: require"
export PGPASSWORD=$wrong
keeps_out 'password authentication failed' "PGPASSWORD goes before .pgpass" by_scram
unset PGPASSWORD
chmod 644 "$HOME/.pgpass"
document by_scram
run_is 2 "a password file that others may read" "$RAPIDBYTE" discover "$p" --log-level trace
printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"
like "$stderr" 'chmod 600' "a password file that others may read: what to do"
rm "$HOME/.pgpass"

document by_scram
sed -i "5s#config: .*#config: { url: \"postgresql://by_scram:$password@127.0.0.1:$PG_PORT/src?sslmode=disable\" }#" "$p"
run_is 0 "a connection URL" "$RAPIDBYTE" run "$p" --log-level trace
printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"
is "$(dst_sql 'SELECT * FROM raw.who')" "by_scram|f" "a connection URL: as whom, and whether encrypted"
sed -i "s#$password@#$wrong@#" "$p"
run_is 3 "a connection URL with a wrong password" "$RAPIDBYTE" discover "$p" --log-level trace
printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"

# A server without TLS.
lets_in f "no TLS at the server: prefer" by_scram "password: $password, sslmode: prefer"
keeps_out 'does not offer TLS' "no TLS at the server: require" by_scram "password: $password, sslmode: require"
like "$stderr" 'hint: .*sslmode' "no TLS at the server: require: a hint"

# Certificates: an authority, a server's for localhost and no address, a client's; another authority.
cd "$TAP_DIR" || bail "cd"
# authority <name>
authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$1.key" -out "$1.crt" -addext basicConstraints=critical,CA:TRUE 2>/dev/null
}
# certificate <authority> <file> <CN> [<extension>]
certificate() {
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$3" -keyout "$2.key" -out "$2.csr" 2>/dev/null &&
        openssl x509 -req -in "$2.csr" -CA "$1.crt" -CAkey "$1.key" -CAcreateserial -days 2 -out "$2.crt" \
            -extfile <(printf '%s\n' "${4:-basicConstraints=CA:FALSE}") 2>/dev/null
}
authority ca
authority otherca
certificate ca server localhost subjectAltName=DNS:localhost
certificate ca proxy localhost subjectAltName=DNS:localhost
certificate ca client by_cert
certificate otherca stranger by_cert
# revocations <authority>: what it has revoked so far.
revocations() {
    openssl ca -config "$1.cnf" -gencrl -keyfile "$1.key" -cert "$1.crt" -out "$2" 2>/dev/null
}
printf '[ca]\ndefault_ca = d\n[d]\ndatabase = index.txt\ndefault_md = sha256\ndefault_crl_days = 2\n' >ca.cnf
: >index.txt
revocations ca none.crl
openssl ca -config ca.cnf -keyfile ca.key -cert ca.crt -revoke server.crt 2>/dev/null
revocations ca server.crl
ok "certificates were made" test -s server.crt -a -s proxy.crt -a -s client.crt -a -s stranger.crt || bail "openssl"
for file in server.key server.crt ca.crt; do
    pg_as_owner tee "$PG_DATA/$file" <"$file" >/dev/null
    pg_as_owner chmod 600 "$PG_DATA/$file"
done
pg_sql "ALTER SYSTEM SET ssl = on"
pg_sql "ALTER SYSTEM SET ssl_ca_file = 'ca.crt'"
pg_sql 'SELECT pg_reload_conf()' >/dev/null
ok "the server does TLS now" wait_until 5 pg_sql "SELECT 1 / (current_setting('ssl') = 'on')::integer"
cd "$ROOT" || bail "cd"

secret="password: $password"
lets_in f "TLS: disable" by_scram "$secret, sslmode: disable"
lets_in f "TLS: allow" by_scram "$secret, sslmode: allow"
lets_in t "TLS: prefer" by_scram "$secret, sslmode: prefer"
lets_in t "TLS: prefer is the default" by_scram "$secret"
lets_in t "TLS: require" by_scram "$secret, sslmode: require"
for method in password md5; do
    lets_in t "TLS: require, $method" "by_$method" "$secret, sslmode: require"
done
keeps_out 'password authentication failed' "TLS: a wrong password" by_scram "password: $wrong, sslmode: require"
root="sslrootcert: $TAP_DIR/ca.crt"
lets_in t "TLS: verify-ca" by_scram "$secret, sslmode: verify-ca, $root"
lets_in t "TLS: verify-full by name" by_scram "$secret, sslmode: verify-full, $root, host: localhost"
keeps_out 'certificate is refused.*(mismatch|not match)' "TLS: verify-full by another name" by_scram "$secret, sslmode: verify-full, $root"
like "$stderr" 'hint: .*name' "TLS: verify-full by another name: a hint"
for mode in verify-ca verify-full; do
    keeps_out 'certificate is refused' "TLS: $mode, another authority" by_scram "$secret, sslmode: $mode, host: localhost, sslrootcert: $TAP_DIR/otherca.crt"
    keeps_out 'certificate is refused' "TLS: $mode, the system's authorities" by_scram "$secret, sslmode: $mode, host: localhost"
done
keeps_out 'certificate is refused' "TLS: require with a root certificate verifies, as libpq does" by_scram "$secret, sslmode: require, sslrootcert: $TAP_DIR/otherca.crt"
document by_scram "$secret, sslmode: verify-ca, sslrootcert: $TAP_DIR/nowhere.crt"
run_is 2 "TLS: a root certificate file that isn't there" "$RAPIDBYTE" discover "$p"
like "$stderr" 'nowhere.crt' "TLS: a root certificate file that isn't there is named"

lets_in t "sslcrl: nothing is revoked" by_scram "$secret, sslmode: verify-ca, $root, sslcrl: $TAP_DIR/none.crl"
keeps_out 'certificate is refused: certificate revoked' "sslcrl: the server's certificate is" by_scram "$secret, sslmode: verify-ca, $root, sslcrl: $TAP_DIR/server.crl"
export PGSSLCRL=$TAP_DIR/server.crl
keeps_out 'certificate revoked' "PGSSLCRL" by_scram "$secret, sslmode: verify-full, host: localhost, $root"
unset PGSSLCRL
keeps_out 'revocation list .*ca.key can.t be used' "sslcrl: no list" by_scram "$secret, sslmode: verify-ca, $root, sslcrl: $TAP_DIR/ca.key"

# Rules of the server.
lets_in t "hostssl: prefer" tls_only "$secret"
lets_in t "hostssl: allow tries TLS second" tls_only "$secret, sslmode: allow"
keeps_out 'no pg_hba.conf entry.*no encryption' "hostssl: disable" tls_only "$secret, sslmode: disable"
like "$stderr" 'hint: .*sslmode' "hostssl: disable: a hint"
lets_in f "hostnossl: prefer falls back" plain_only "$secret"
lets_in f "hostnossl: disable" plain_only "$secret, sslmode: disable"
keeps_out 'no pg_hba.conf entry.*SSL encryption' "hostnossl: require" plain_only "$secret, sslmode: require"
like "$stderr" 'hint: .*sslmode' "hostnossl: require: a hint"

# Client certificates.
lets_in t "a client certificate" by_cert "sslmode: require, sslcert: $TAP_DIR/client.crt, sslkey: $TAP_DIR/client.key"
cat "$TAP_DIR"/client.{crt,key} >"$TAP_DIR/both.pem"
lets_in t "a client certificate with its key in one file" by_cert "sslmode: require, sslcert: $TAP_DIR/both.pem"
keeps_out 'certificate' "no client certificate" by_cert "sslmode: require"
keeps_out 'certificate|TLS|unknown ca' "a stranger's certificate" by_cert "sslmode: require, sslcert: $TAP_DIR/stranger.crt, sslkey: $TAP_DIR/stranger.key"
keeps_out 'client key file|key' "a key of another certificate" by_cert "sslmode: require, sslcert: $TAP_DIR/client.crt, sslkey: $TAP_DIR/stranger.key"

# Channel binding: one in the middle with a certificate that the authority signed for this very name
# is let in by TLS, and found by SCRAM-SHA-256-PLUS. A method without binding does not notice it.
cat >"$TAP_DIR/middle.py" <<'PY'
import socket, ssl, struct, sys, threading
server_port, cert, key = int(sys.argv[1]), sys.argv[2], sys.argv[3]
request = struct.pack("!ii", 8, 80877103)
def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
def serve(client):
    if client.recv(8, socket.MSG_WAITALL) != request:
        return client.close()
    client.sendall(b"S")
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    inside.load_cert_chain(cert, key)
    client = inside.wrap_socket(client, server_side=True)
    server = socket.create_connection(("127.0.0.1", server_port))
    server.sendall(request)
    assert server.recv(1) == b"S"
    outside = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    outside.check_hostname = False
    outside.verify_mode = ssl.CERT_NONE
    server = outside.wrap_socket(server)
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
PY
python3 "$TAP_DIR/middle.py" "$PG_PORT" "$TAP_DIR/proxy.crt" "$TAP_DIR/proxy.key" >"$TAP_DIR/middle.port" 2>/dev/null &
middle=$!
at_exit kill "$middle"
ok "one in the middle" wait_until 5 test -s "$TAP_DIR/middle.port"
through="sslmode: verify-full, $root, host: localhost, port: $(<"$TAP_DIR/middle.port")"
lets_in t "one in the middle, md5: not noticed" by_md5 "$secret, $through"
keeps_out 'channel binding' "one in the middle, scram: found" by_scram "$secret, $through"
lets_in t "channel_binding: disable: not noticed" by_scram "$secret, $through, channel_binding: disable"
lets_in t "channel_binding: require" by_scram "$secret, channel_binding: require"
through+=", channel_binding: require"
keeps_out 'channel binding is required, but the server asks for the password itself' "channel_binding: require, md5" by_md5 "$secret, $through"
keeps_out 'channel binding is required, but the server asks for no password' "channel_binding: require, trust" by_trust "channel_binding: require"
export PGCHANNELBINDING=require
keeps_out 'channel binding is required, but TLS was not started' "PGCHANNELBINDING=require without TLS" by_scram "$secret, sslmode: disable"
unset PGCHANNELBINDING

# Both sides.
dst_sql 'GRANT CREATE ON DATABASE dst TO by_scram; GRANT ALL ON SCHEMA raw TO by_scram; DROP SCHEMA _rapidbyte CASCADE' 2>/dev/null
strict="$secret, sslmode: verify-full, $root, host: localhost"
destination="port: $PG_PORT, user: by_scram, $strict"
document by_scram "$strict"
run_is 0 "both sides with verify-full and scram" "$RAPIDBYTE" run "$p" --log-level trace
printf '%s\n' "$stdout" "$stderr" >>"$TAP_DIR/all"
is "$(dst_sql "SELECT tableowner, encrypted FROM pg_tables, raw.who WHERE tablename = 'who'")" "by_scram|t" "both sides: it arrived"

# No password anywhere.
cmp_ok "$(grep -c by_scram "$TAP_DIR/all")" -ge 10 "there is output to search"
is "$(grep -c -e "$password" -e "$wrong" "$TAP_DIR/all")" 0 "no password in any output at log level trace"
is "$(grep -c -a -e "$password" -e "$wrong" "$TAP_DIR/state.db")" 0 "nor in the state"
done_testing
