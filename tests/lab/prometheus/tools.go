//go:build tools

// Package tools names the commands this module is here to build, so that go.mod pins all they need.
package tools

import (
	_ "github.com/prometheus/prometheus/cmd/prometheus"
	_ "github.com/prometheus/prometheus/cmd/promtool"
)
