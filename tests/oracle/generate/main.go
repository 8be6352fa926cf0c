// Command oracle asks Helm's own engine what template snippets render to.
//
// Each argument is a YAML file {values, cases: [{template, …}]}; the program writes it back with an output or
// an error for each case.
package main

import (
	"fmt"
	"os"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/engine"
	goyaml "sigs.k8s.io/yaml/goyaml.v3"
)

type oracleCase struct {
	Template string  `yaml:"template"`
	Output   *string `yaml:"output,omitempty"`
	Error    *string `yaml:"error,omitempty"`
}

type oracleFile struct {
	Values string       `yaml:"values,omitempty"`
	Cases  []oracleCase `yaml:"cases"`
}

const templateName = "templates/case.txt"

func render(snippet string, values string) (string, error) {
	read, err := common.ReadValues([]byte(values))
	if err != nil {
		return "", err
	}
	oracle := &chart.Chart{
		Metadata:  &chart.Metadata{APIVersion: "v2", Name: "oracle", Version: "1.2.3"},
		Templates: []*common.File{{Name: templateName, Data: []byte(snippet)}},
	}
	options := common.ReleaseOptions{Name: "demo", Namespace: "prod", Revision: 1, IsInstall: true}
	scope, err := util.ToRenderValues(oracle, read, options, nil)
	if err != nil {
		return "", err
	}
	rendered, err := engine.Render(oracle, scope)
	return rendered["oracle/"+templateName], err
}

func answer(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var file oracleFile
	if err := goyaml.Unmarshal(data, &file); err != nil {
		return err
	}
	for i := range file.Cases {
		asked := &file.Cases[i]
		output, err := render(asked.Template, file.Values)
		asked.Output, asked.Error = nil, nil
		if err != nil {
			text := err.Error()
			asked.Error = &text
		} else {
			asked.Output = &output
		}
	}
	var written strings.Builder
	encoder := goyaml.NewEncoder(&written)
	encoder.SetIndent(2)
	if err := encoder.Encode(file); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(written.String()), 0o644)
}

func main() {
	for _, path := range os.Args[1:] {
		if err := answer(path); err != nil {
			fmt.Fprintln(os.Stderr, path+":", err)
			os.Exit(1)
		}
	}
}
