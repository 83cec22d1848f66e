# Answers one request of `monitoring`: what the sidecar knows, and tailscaled's own metrics after that. The listener of
# serve.sh runs it for each connection, which is its standard input and output. Between requests nothing runs.
set -u
exec 2>/dev/null # what fails leaves its metric out, and would fill the log at each scrape
export LC_ALL=C TZ=UTC0
run=/run/tailscale-sidecar
return=$(printf '\r')

local_api() { # what tailscaled answers to $1
  printf 'GET /localapi/v0/%s HTTP/1.0\r\nHost: local-tailscaled.sock\r\n\r\n' "$1" |
    nc "local:${TS_SOCKET:-/tmp/tailscaled.sock}" 0 |
    sed -n -e '1{' -e '/ 200 /!q' -e '}' -e "1,/^$return\$/d" -e p
}

counted() {
  for file in "$run"/counts/*; do
    if read -r number <"$file"; then echo "count ${file##*/} $number"; fi
  done
}

last_answer() { # when the number of the control plane's messages was first seen to be what it is
  messages=$(local_api metrics | sed -n 's/^controlclient_map_response_message //p')
  before='' time=''
  if [ -e $run/messages ]; then read -r before time <$run/messages; fi
  if [ "${messages:-0}" != 0 ] && [ "$messages" != "$before" ]; then
    time=$(date +%s)
    echo "$messages $time" >$run/messages.new
    mv $run/messages.new $run/messages
  fi
  if [ -n "$time" ]; then echo "answer $time"; fi
}

routes() { # what prepare.sh keeps in the cluster, and what the tailnet offers
  for family in -4 -6; do
    ip $family rule show
    ip $family route show table 52
  done
}

look_up() { # $1: whose name, $2: the name, $3: the app's nameserver
  nslookup "$2" "$3" >"$looked_up.$1" &
  looking="$looking $!" owners="$owners $1"
}

look_ups() { # starts them, as the app would do them, if its names are the tailnet's too; $1: tailscaled's status
  conf=/etc/resolv.conf
  if [ -e $run/app.conf ]; then conf=$run/app.conf; fi
  server=$(awk '$1 == "nameserver" { print $2; exit }' $conf)
  domain=$(awk '$1 == "search" { for (i = 2; i <= NF; i++) if ($i ~ /^svc\./) print $i }' $conf)
  if [ -n "$domain" ]; then look_up cluster "kubernetes.default.$domain" "$server"; fi
  case $1 in
  *'"MagicDNSEnabled": true'*)
    name=$(echo "$1" | sed -n 's/^[[:space:]]*"DNSName": "\(.*\)\.",$/\1/p' | head -n 1)
    if [ -e $run/app.conf ] && [ -n "$name" ]; then look_up tailnet "$name" "$server"; fi
    ;;
  esac
}

answers() { # of the look-ups, for which there are two seconds
  tries=0
  for owner in $owners; do
    until grep -q '^Name:' "$looked_up.$owner" || [ $tries = 20 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    if grep -q '^Name:' "$looked_up.$owner"; then echo "look-up $owner 1"; else echo "look-up $owner 0"; fi
  done
  for started in $looking; do kill "$started"; done
  wait
  rm -f "$looked_up".*
}

facts() {
  looked_up=$run/look-up.$limit looking='' owners=''
  status=$(local_api "status?peers=false")
  look_ups "$status"
  counted
  last_answer
  case "${TS_EXTRA_ARGS-}" in *--accept-routes=true*) if [ -e $run/prepared ]; then routes; fi ;; esac
  echo "$status"
  answers
}

exposition() {
  awk '
    function binary(number, width,   digits) {
      for (digits = ""; width > 0; width--) { digits = number % 2 digits; number = int(number / 2) }
      return digits
    }
    function hexadecimal(text,   i, number) {
      for (i = 1; i <= length(text); i++) number = number * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
      return number + 0
    }
    function prefix(cidr,   halves, left, right, address, digits, i, before, after) { # the bits that a route is for
      split(cidr, halves, "/")
      address = halves[1]
      if (index(address, ":") == 0) {
        split(address, left, ".")
        for (i = 1; i <= 4; i++) digits = digits binary(left[i], 8)
        return "4" (halves[2] == "" ? digits : substr(digits, 1, halves[2]))
      }
      before = split(substr(address "::", 1, index(address "::", "::") - 1), left, ":")
      after = split(substr(address, index(address "::", "::") + 2), right, ":")
      for (i = 1; i <= 8; i++) {
        if (i <= before) digits = digits binary(hexadecimal(left[i]), 16)
        else if (i > 8 - after) digits = digits binary(hexadecimal(right[i - 8 + after]), 16)
        else digits = digits binary(0, 16)
      }
      return "6" (halves[2] == "" ? digits : substr(digits, 1, halves[2]))
    }
    function head(name, type, help) {
      print "# HELP tailscale_sidecar_" name " " help
      print "# TYPE tailscale_sidecar_" name " " type
    }
    function by_label(name, label, values,   i, value) {
      split(values, value, " ")
      for (i = 1; i in value; i++)
        print "tailscale_sidecar_" name "_total{" label "=\"" value[i] "\"} " counts[name "." value[i]] + 0
    }
    $1 == "count" { counts[$2] = $3 }
    $1 == "answer" { answer = $2 }
    $1 == "look-up" { names[$2] = $3 }
    $1 == "5000:" { for (i = 2; i < NF; i++) if ($i == "to") guarded[prefix($(i + 1))] }
    $2 == "dev" && $1 ~ /[.:]/ { route[prefix($1)] }
    $1 == "\"BackendState\":" { running = $2 ~ /^"Running"/ }
    $1 == "\"Online\":" && ! known { known = 1; online = $2 ~ /^true/ }
    $1 == "\"KeyExpiry\":" && expiry == "" { expiry = substr($2, 2, 19); gsub(/[-T:]/, " ", expiry) }
    END {
      head("connected", "gauge", "Whether tailscaled is on the tailnet and in touch with the control plane.")
      print "tailscale_sidecar_connected " (running && online ? 1 : 0)
      head("logins_total", "counter", "Logins of this pod that succeeded.")
      print "tailscale_sidecar_logins_total " counts["logins"] + 0
      head("login_failures_total", "counter", "Logins of this pod that failed.")
      by_label("login_failures", "reason", "credential_missing credential_refused tags_refused rate_limited unreachable other")
      head("restarts_total", "counter", "Starts of the sidecar after the first one in this pod.")
      by_label("restarts", "cause", "device_deleted tailscaled_ended other")
      if (answer != "") {
        head("control_plane_last_answer_timestamp_seconds", "gauge", "When a scrape first saw the newest message of the control plane.")
        print "tailscale_sidecar_control_plane_last_answer_timestamp_seconds " answer
      }
      if (expiry != "") {
        head("key_expiry_timestamp_seconds", "gauge", "When the key of the device expires; there is none where it does not.")
        printf "tailscale_sidecar_key_expiry_timestamp_seconds %.0f\n", mktime(expiry)
      }
      overlapping = 0
      for (own in route) for (kept in guarded) if (index(own, kept) == 1 || index(kept, own) == 1) { overlapping++; break }
      head("overlapping_routes", "gauge", "Routes of the tailnet that overlap what is kept in the cluster.")
      print "tailscale_sidecar_overlapping_routes " overlapping
      head("resolver_answers", "gauge", "Whether the nameserver of the app answers for names of the cluster and of the tailnet.")
      for (owner in names) print "tailscale_sidecar_resolver_answers{names=\"" owner "\"} " names[owner]
    }
  '
}

asked() { # whether the request is for the metrics
  read -r method path _
  while IFS= read -r line; do
    case $line in "$return" | "") break ;; esac
  done
  kill "$limit"
  case "$method $path" in "GET /metrics" | "GET /metrics?"*) ;; *) return 1 ;; esac
}

# A client that asks for nothing is not waited for. Not with busybox's `timeout`, which leaves a process that its parent does
# not bury: in this container nobody else does.
exec 3<&0 # a shell gives what runs beside it no standard input
sleep 5 &
limit=$!
asked <&3 &
asking=$!
if wait $limit; then kill $asking; fi
if wait $asking; then
  body=$(facts | exposition; local_api usermetrics)
  printf 'HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: %s\r\n\r\n%s\n' \
    $((${#body} + 1)) "$body"
else
  printf 'HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n'
fi
