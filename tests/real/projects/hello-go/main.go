// Command hello prints a greeting.
package main

import (
	"fmt"

	"github.com/BurntSushi/toml"
	"golang.org/x/text/language"
)

func hello() string {
	var greeting struct{ Hello string }
	if _, err := toml.Decode(`Hello = "hello"`, &greeting); err != nil {
		panic(err)
	}
	return greeting.Hello + " " + language.English.String()
}

func main() { fmt.Println(hello()) }
