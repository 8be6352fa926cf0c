// Command strvals asks Helm what the texts of `--set` and its kin mean: cases.json in, the same with answers out.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"helm.sh/helm/v4/pkg/strvals"
)

type oracleCase struct {
	Kind   string           `json:"kind"`
	Text   string           `json:"text"`
	Base   string           `json:"base,omitempty"`
	Values *json.RawMessage `json:"values,omitempty"`
	Error  *string          `json:"error,omitempty"`
}

// mark gives int64 and float64 different spellings in JSON.
func mark(v any) any {
	switch x := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range x {
			out[k] = mark(e)
		}
		return out
	case []any:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = mark(e)
		}
		return out
	case int64:
		return map[string]any{"int64": fmt.Sprint(x)}
	}
	return v
}

func main() {
	var cases []oracleCase
	data, _ := os.ReadFile(os.Args[1])
	if err := json.Unmarshal(data, &cases); err != nil {
		panic(err)
	}
	for i := range cases {
		c := &cases[i]
		c.Values, c.Error = nil, nil
		dest := map[string]any{}
		if c.Base != "" {
			if err := json.Unmarshal([]byte(c.Base), &dest); err != nil {
				panic(err)
			}
		}
		var err error
		switch c.Kind {
		case "set":
			err = strvals.ParseInto(c.Text, dest)
		case "string":
			err = strvals.ParseIntoString(c.Text, dest)
		case "json":
			err = strvals.ParseJSON(c.Text, dest)
		case "literal":
			err = strvals.ParseLiteralInto(c.Text, dest)
		case "file":
			err = strvals.ParseIntoFile(c.Text, dest, func(r []rune) (any, error) {
				if string(r) == "missing" {
					return nil, fmt.Errorf("open missing: no such file or directory")
				}
				return "content of " + string(r), nil
			})
		}
		if err != nil {
			s := err.Error()
			c.Error = &s
			continue
		}
		m, _ := json.Marshal(mark(dest))
		r := json.RawMessage(m)
		c.Values = &r
	}
	out, _ := json.MarshalIndent(cases, "", " ")
	os.Stdout.Write(append(out, '\n'))
}
