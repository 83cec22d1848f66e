module lab.local/resolve-go

go 1.26.0
