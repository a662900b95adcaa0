module example.com/hello

go 1.21

require (
	github.com/BurntSushi/toml v1.4.0
	github.com/stretchr/testify v1.9.0
	golang.org/x/text v0.14.0
)

require (
	github.com/davecgh/go-spew v1.1.1 // indirect
	github.com/pmezard/go-difflib v1.0.0 // indirect
	gopkg.in/yaml.v3 v3.0.1 // indirect
)
