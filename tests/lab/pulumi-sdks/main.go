// The sdks command generates the SDKs of a package, as `pulumi package gen-sdk` does, without Pulumi's language hosts.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/blang/semver"
	gogen "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

// What an SDK says that it was made by.
const tool = "pulumi"

type generator func(*schema.Package, schema.ReferenceLoader) (map[string][]byte, error)

var languages = map[string]generator{
	"go": func(pkg *schema.Package, _ schema.ReferenceLoader) (map[string][]byte, error) {
		return gogen.GeneratePackage(tool, pkg, nil)
	},
	"nodejs": func(pkg *schema.Package, loader schema.ReferenceLoader) (map[string][]byte, error) {
		return nodejs.GeneratePackage(tool, pkg, nil, nil, false, loader)
	},
	"python": func(pkg *schema.Package, loader schema.ReferenceLoader) (map[string][]byte, error) {
		return python.GeneratePackage(tool, pkg, nil, loader)
	},
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: sdks SCHEMA SCHEMA_OF_KUBERNETES FOLDER")
	}
	if err := generate(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func generate(file, kubernetes, folder string) error {
	loader := schema.NewCachedLoader(&oneFile{kubernetes})
	for language, generated := range languages {
		pkg, err := bound(file, loader) // each generator changes it
		if err != nil {
			return err
		}
		files, err := generated(pkg, loader)
		if err != nil {
			return fmt.Errorf("%s: %w", language, err)
		}
		if err := write(filepath.Join(folder, language), files); err != nil {
			return err
		}
	}
	return nil
}

// bound returns the package, or an error for what its schema has wrong.
func bound(file string, loader schema.ReferenceLoader) (*schema.Package, error) {
	var spec schema.PackageSpec
	if err := read(file, &spec); err != nil {
		return nil, err
	}
	pkg, diagnostics, err := schema.BindSpec(spec, loader, schema.ValidationOptions{})
	if err != nil {
		return nil, err
	}
	for _, one := range diagnostics {
		log.Print(one)
	}
	if diagnostics.HasErrors() {
		return nil, diagnostics
	}
	return pkg, nil
}

func read(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

func write(folder string, files map[string][]byte) error {
	for name, text := range files {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// oneFile loads Pulumi's package for Kubernetes from a file, as whatever version is asked for.
type oneFile struct{ path string }

func (f *oneFile) LoadPackage(name string, version *semver.Version) (*schema.Package, error) {
	return f.LoadPackageV2(context.Background(), &schema.PackageDescriptor{Name: name, Version: version})
}

func (f *oneFile) LoadPackageV2(ctx context.Context, wanted *schema.PackageDescriptor) (*schema.Package, error) {
	reference, err := f.LoadPackageReferenceV2(ctx, wanted)
	if err != nil {
		return nil, err
	}
	return reference.Definition()
}

func (f *oneFile) LoadPackageReference(name string, version *semver.Version) (schema.PackageReference, error) {
	return f.LoadPackageReferenceV2(context.Background(), &schema.PackageDescriptor{Name: name, Version: version})
}

func (f *oneFile) LoadPackageReferenceV2(
	_ context.Context, wanted *schema.PackageDescriptor,
) (schema.PackageReference, error) {
	if wanted.Name != "kubernetes" {
		return nil, fmt.Errorf("the schema refers to %s, and knows nothing but kubernetes", wanted.Name)
	}
	var spec schema.PartialPackageSpec
	if err := read(f.path, &spec); err != nil {
		return nil, err
	}
	if wanted.Version != nil {
		spec.Version = wanted.Version.String()
	}
	return schema.ImportPartialSpec(spec, nil, f)
}
