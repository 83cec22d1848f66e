//go:build tools

// Package tools names the command this module is here to build, so that go.mod pins all it needs.
package tools

import _ "github.com/cloudnativelabs/kube-router/v2/cmd/kube-router"
