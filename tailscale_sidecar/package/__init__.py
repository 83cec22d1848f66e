"""The component for TypeScript, Go, C#, Java and YAML: a package with a schema, and the provider that serves it."""
