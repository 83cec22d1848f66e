# Goes before connect.sh, in the same file, where there is `monitoring`: counts its logins, and those that failed by reason.

tailscale() { # what connect.sh calls; what it says is passed on as it comes
  case " $* " in
  *" up --force-reauth "*) ;;
  *)
    command tailscale "$@"
    return
    ;;
  esac
  said=/run/tailscale-sidecar/login
  {
    command tailscale "$@" 2>&1
    echo $? >$said.code
  } | tee $said >&2
  read -r code <$said.code
  if [ "$code" = 0 ] || is_outrun; then count logins; else count "login_failures.$(reason)"; fi
  return "$code"
}

reason() {
  if [ ! -s "$CREDENTIAL_FILE" ]; then echo credential_missing && return; fi
  case $(tr '[:upper:]' '[:lower:]' <"$said") in
  *"requested tags"* | *"tag"*"not permitted"*) echo tags_refused ;;
  *"invalid key"* | *"token invalid"* | *"unable to validate api key"* | *oauth2*401* | *oauth2*unauthorized*) echo credential_refused ;;
  *"rate limited"* | *"429 too many requests"* | *"http 429"*) echo rate_limited ;;
  *"dial tcp"* | *"lookup "* | *timeout* | *"deadline exceeded"* | *"status: 5"* | *": 5"[0-9][0-9]*) echo unreachable ;;
  *) echo other ;;
  esac
}

