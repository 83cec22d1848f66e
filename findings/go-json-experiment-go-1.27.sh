#!/bin/sh
# go-json-experiment/json at ebf49471dced (August 2025, which Tailscale 1.94 and 1.98 are built with): Go 1.27 does not
# compile it. There encoding/json/v2 is on without being asked for, and since the module's build tags ask for that alone, it
# becomes a list of aliases of a package that has lost two of the names. Go 1.25 and 1.26 compile the module's own code, and so
# does Go 1.27 with GOEXPERIMENT=nojsonv2. So a program that pins it is tied to a range of Go from both ends.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat >go.mod <<'MOD'
module example.com/aliases

go 1.25.0

require github.com/go-json-experiment/json v0.0.0-20250813024750-ebf49471dced
MOD
cat >main.go <<'GO'
package main

import (
    "fmt"

    "github.com/go-json-experiment/json"
)

func main() {
    text, err := json.Marshal([]string{"marshalled"})
    fmt.Println(string(text), err)
}
GO
export CGO_ENABLED=0 GOFLAGS=-mod=mod GOWORK=off

try() { # GO EXPERIMENT
    GOTOOLCHAIN="go$1" GOEXPERIMENT="$2" go run . 2>&1 | sed -n -e "s/.*\(undefined: .*\)/Go $1 $2: \1/p" -e "s/.*marshalled.*/Go $1 $2: &/p"
}

said=$(try 1.25.5 ""; try 1.26.6 ""; try 1.27.3 ""; try 1.27.3 nojsonv2)
echo "$said"
expected='Go 1.25.5 : ["marshalled"] <nil>
Go 1.26.6 : ["marshalled"] <nil>
Go 1.27.3 : undefined: json.SkipFunc
Go 1.27.3 : undefined: json.DiscardUnknownMembers
Go 1.27.3 nojsonv2: ["marshalled"] <nil>'
[ "$said" = "$expected" ] || { echo "this has changed" >&2; exit 1; }
