//go:build older

package main

import (
	"net/http"

	"github.com/pulumi/pulumi-java/pkg/codegen/java"
	"github.com/pulumi/pulumi/pkg/v3/codegen/dotnet"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// The generator for .NET has left Pulumi's module, that for Java was never in it, and the registry has neither of today:
// these are of an older Pulumi.
func init() {
	languages = map[string]generator{
		"dotnet": func(pkg *schema.Package, _ schema.ReferenceLoader) (map[string][]byte, error) {
			http.DefaultTransport = noLogo{}
			return dotnet.GeneratePackage(tool, pkg, nil, nil)
		},
		"java": func(pkg *schema.Package, _ schema.ReferenceLoader) (map[string][]byte, error) {
			return java.GeneratePackage(tool, pkg, nil, nil, false, false)
		},
	}
}

// noLogo answers the generator for .NET, which downloads a logo, with an empty one.
type noLogo struct{}

func (noLogo) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}
