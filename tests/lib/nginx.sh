# SPDX-License-Identifier: MIT
# nginx.sh: an ordinary server for archives, and its log. functions.sh brings it.

nginx_answers() {
    # Connecting is enough, and leaves no line in the access log.
    [ -s "$tmp/nginx/pid" ] && (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# start_nginx DOCROOT [DIRECTIVES]: serves DOCROOT at $url (without a final
# slash) until the test ends. $tmp/access.log gets a line for each request:
#
#     METHOD PATH STATUS BODY-BYTES RANGE-HEADER     (- when there is none)
#
# DIRECTIVES are put into the server block. Its pid is $nginx_pid.
start_nginx() {
    local port try root

    requires nginx python3
    root=$(cd "$1" && pwd)
    mkdir -p "$tmp/nginx"
    for try in 1 2 3 4 5; do
        port=$(free_port)
        write_nginx_conf "$port" "$root" "${2:-}"
        nginx -p "$tmp/nginx" -e "$tmp/nginx/error.log" -c "$tmp/nginx/nginx.conf" \
            >"$tmp/nginx/out" 2>&1 &
        nginx_pid=$!
        at_exit kill "$nginx_pid"
        for _ in $(seq 4000); do
            if nginx_answers "$port"; then
                url=http://127.0.0.1:$port
                : >"$tmp/access.log"
                return 0
            fi
            kill -0 "$nginx_pid" 2>/dev/null || break # somebody took the port
            sleep 0.05
        done
    done
    cat "$tmp/nginx/out" "$tmp/nginx/error.log" >&2 || true
    fail "nginx does not start (tried $try times)"
}

write_nginx_conf() {
    cat >"$tmp/nginx/nginx.conf" <<EOF_CONF
daemon off;
master_process off;
pid $tmp/nginx/pid;
error_log $tmp/nginx/error.log;
events { worker_connections 256; }
http {
    log_format ranges '\$request_method \$uri \$status \$body_bytes_sent \$http_range';
    access_log $tmp/access.log ranges;
    default_type application/octet-stream;
    client_body_temp_path $tmp/nginx/body;
    proxy_temp_path $tmp/nginx/proxy;
    fastcgi_temp_path $tmp/nginx/fastcgi;
    uwsgi_temp_path $tmp/nginx/uwsgi;
    scgi_temp_path $tmp/nginx/scgi;
    server {
        listen 127.0.0.1:$1;
        root $2;
        $3
    }
}
EOF_CONF
}

# requests_in_log [REGEX]: how many requests nginx has answered (that match).
requests_in_log() {
    grep -Ec -e "${1:-.}" "$tmp/access.log" || true
}

# bytes_in_log: the sum of the body bytes that nginx has sent.
bytes_in_log() {
    awk '{ sum += $4 } END { printf "%d\n", sum }' "$tmp/access.log"
}
