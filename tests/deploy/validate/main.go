// Reads a compose file with Compose's own library, or a Dockerfile with BuildKit's own parser and linter rules, and says
// what is wrong with it. Exit code 1 if anything is.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

func main() {
	what, file := os.Args[1], os.Args[2]
	var told any
	var err error
	switch what {
	case "compose":
		told, err = compose(file)
	case "dockerfile":
		told, err = dockerfile(file)
	default:
		err = fmt.Errorf("compose or dockerfile, not %s", what)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(told)
}

func compose(file string) (any, error) {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithProfiles([]string{"*"}))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func dockerfile(file string) (any, error) {
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	parsed, err := parser.Parse(opened)
	if err != nil {
		return nil, err
	}
	var found []string
	rules := linter.New(&linter.Config{Warn: func(rule, description, url, message string, _ []parser.Range) {
		found = append(found, rule+": "+message)
	}})
	stages, _, err := instructions.Parse(parsed.AST, rules)
	if err != nil {
		return nil, err
	}
	for _, warning := range parsed.Warnings {
		found = append(found, warning.Short)
	}
	if len(found) > 0 {
		return nil, fmt.Errorf("%s", strings.Join(found, "\n"))
	}
	var told [][]string
	for _, stage := range stages {
		var commands []string
		for _, command := range stage.Commands {
			commands = append(commands, fmt.Sprint(command))
		}
		told = append(told, commands)
	}
	return told, nil
}
