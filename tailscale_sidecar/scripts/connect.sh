#!/bin/sh
# Stands before the real `tailscale` on the sidecar's PATH. containerboot calls `tailscale --socket=S up FLAGS...` at
# each of its starts, while tailscaled is disconnected. With a device in the state store that is as asked, this applies
# the settings and connects: no credential is used, no API is called. Else it logs in, and tries until it succeeds,
# reading the credential anew each time, so that a corrected Secret heals the pod.
set -u
PATH=${PATH#*:}
if [ "${2-}" != up ]; then exec tailscale "$@"; fi
socket=$1
shift 2

run=/run/tailscale-sidecar
tags=null
server=https://controlplane.tailscale.com
ssh=--ssh=false
for flag in "$@"; do
  case $flag in
  --advertise-tags=*) tags="[${flag#*=}]" ;;
  --login-server=*) server=${flag#*=} ;;
  --ssh*) ssh=$flag ;;
  esac
done

log() { echo "tailscale-sidecar: $*" >&2; }
ts() { tailscale "$socket" "$@"; }
compact() { ts "$@" | tr -d ' \t\n"'; } # JSON in a form that `case` can match

login_reason() { # says why a login is needed; nothing if the device in the state store will do
  if [ -e $run/deleted ]; then echo "this device was deleted on the tailnet" && return; fi
  case $(compact status --json --peers=false) in *HaveNodeKey:true*) ;; *) echo "the state store holds no device" && return ;; esac
  prefs=$(compact debug prefs)
  case $prefs in *"AdvertiseTags:$tags,"*) ;; *) echo "the tags changed" && return ;; esac
  case $prefs in *"ControlURL:$server,"*) ;; *) echo "the login server changed" ;; esac
}

device_id() { # of the device in the state store; nothing without one
  compact debug prefs | sed -n 's/.*NodeID:\([^,}]*\).*/\1/p'
}

report_another_device() { # what another controller wrote into the state Secret is only read at the next start
  before=$(cat $run/device 2>/dev/null)
  if [ -z "$before" ]; then return; fi # a new pod
  after=$(device_id)
  case $after in "$before" | "") return ;; esac
  log "the state store holds another device ($after) than when this pod last started ($before): who else writes to it?"
}

with_attributes() { # adds ?ephemeral=... and the like, unless the credential has its own
  value=$1
  for attribute in $CREDENTIAL_ATTRIBUTES; do
    case $value in
    *[?\&]"${attribute%%=*}"=*) ;;
    *\?*) value="$value&$attribute" ;;
    *) value="$value?$attribute" ;;
    esac
  done
  printf '%s' "$value"
}

try_login() {
  credential=$(with_attributes "$(cat "$CREDENTIAL_FILE")") || return
  if [ "$CREDENTIAL_FLAG" = --client-id ]; then
    set -- "--client-id=$credential" "$@"
    if [ -n "$ID_TOKEN_FILE" ]; then
      set -- "--id-token=file:$ID_TOKEN_FILE" "$@"
    else
      set -- "--audience=$(cat "${CREDENTIAL_FILE%/*}/TS_AUDIENCE")" "$@"
    fi
  else
    (umask 077 && printf '%s' "$credential" >$run/credential)
    set -- "$CREDENTIAL_FLAG=file:$run/credential" "$@"
  fi
  rm -f $run/outrun
  ts up --force-reauth "$@" || is_outrun || return
  gets_running && asks_once
}

asks_once() { # if the first of tailscaled's two logins was quicker, it spent the key, and the second would be repeated for ever
  if is_outrun; then ts down && ts set --ssh=false && connect; fi
}

is_outrun() { # tailscaled.sh finds that in tailscaled's log, which may not be read up to the end of `tailscale up` yet
  rm -f $run/read
  echo "tailscale-sidecar: asked tailscaled to log in" 1<>$run/log
  until [ -e $run/read ]; do sleep 0.05; done
  [ -e $run/outrun ]
}

is_running() { case $(compact status --json --peers=false) in *BackendState:Running*) ;; *) return 1 ;; esac }

gets_running() { # `tailscale up` may be done a moment before tailscaled is; another login now would use up another key
  for _ in 1 2 3 4 5; do
    if is_running; then return; fi
    sleep 1
  done
  return 1
}

login() {
  log "logging in: $1"
  shift
  most=10
  until try_login "$@"; do
    pause=$((most / 2 + $(od -An -N1 -tu1 /dev/urandom) % (most / 2 + 1))) # not in step with other replicas
    log "login failed; trying again in ${pause}s. A corrected Secret is picked up without a restart."
    # Meanwhile tailscaled may get there by itself: it goes on when a rate limit of the control plane has passed.
    waited=0
    while [ $waited -lt $pause ]; do
      sleep 1
      waited=$((waited + 1))
      if is_running && asks_once; then break 2; fi
    done
    most=$((most < 40 ? most * 2 : 60))
  done
  rm -f $run/credential $run/deleted
}

apply_settings() { # what `tailscale set` knows of the flags, after the defaults of those that extra_args may have
  for flag in "$@"; do
    shift
    case $flag in
    --advertise-tags=* | --login-server=* | --reset | --ssh*) ;;
    *) set -- "$@" "$flag" ;;
    esac
  done
  # One call more, for a flag must not come twice; tailscaled is disconnected meanwhile.
  ts set --exit-node= --exit-node-allow-lan-access=false --snat-subnet-routes=true --stateful-filtering=false \
    --netfilter-mode=on --advertise-connector=false --webclient=false --ssh=false && ts set "$@"
}

# Comes last: with it, tailscaled would refuse to connect where the tailnet does not allow SSH, which it learns from the
# tailnet. That is no reason to keep the app down.
allow_ssh() { if [ "$ssh" != --ssh=false ]; then ts set "$ssh" || log "going on without $ssh"; fi; }

connect() { # fails where the control plane wants a login after all: the device was deleted, or its key expired
  ts up &
  while :; do
    case $(compact status --json --peers=false) in
    *BackendState:Running*) return 0 ;;
    *BackendState:NeedsLogin*) kill $! 2>/dev/null; return 1 ;;
    esac
    sleep 0.2
  done
}

report_another_device
reason=$(login_reason)
if [ -n "$reason" ]; then
  login "$reason" "$@"
else
  apply_settings "$@" || exit
  connect || login "the control plane does not take this device's key: deleted, expired, or an older state was restored" "$@"
fi
allow_ssh
device_id >$run/device
