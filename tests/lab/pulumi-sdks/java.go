//go:build java

package main

import (
	"github.com/pulumi/pulumi-java/pkg/codegen/java"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// The generator for Java is not in Pulumi's module, and the newest that the registry has is of an older Pulumi.
func init() {
	languages = map[string]generator{
		"java": func(pkg *schema.Package, _ schema.ReferenceLoader) (map[string][]byte, error) {
			return java.GeneratePackage(tool, pkg, nil, nil, false, false)
		},
	}
}
