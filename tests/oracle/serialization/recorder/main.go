// The recorder answers, line by line, what Helm's own YAML, JSON and TOML libraries make of a text or a value:
// {"op": "yload", "text": "a: 1"} gives {"r": {"a": {"$": "float64", "v": "1"}}}. The cases of the folder above
// were recorded with it. To build it: go mod init recorder && go get helm.sh/helm/v4@v4.2.4 && go build.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
	"sigs.k8s.io/yaml"
	goYaml "sigs.k8s.io/yaml/goyaml.v3"
)

type in struct {
	Op   string          `json:"op"`
	Text string          `json:"text"`
	JSON json.RawMessage `json:"json"`
}
type out struct {
	R any    `json:"r"`
	E string `json:"e,omitempty"`
}

func do(i in) (o out) {
	defer func() {
		if r := recover(); r != nil {
			o.E = fmt.Sprintf("PANIC %v", r)
		}
	}()
	var v any
	if len(i.JSON) > 0 {
		d := json.NewDecoder(bytes.NewReader(i.JSON))
		d.UseNumber()
		d.Decode(&v)
		v = conv(v)
	}
	switch i.Op {
	case "yload":
		var x any
		err := yaml.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "yloadmap":
		x := map[string]any{}
		err := yaml.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "yloadlist":
		x := []any{}
		err := yaml.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "ystrict":
		x := map[string]any{}
		err := yaml.UnmarshalStrict([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "ydump":
		b, err := yaml.Marshal(v)
		if err != nil {
			o.E = err.Error()
		}
		o.R = string(b)
	case "ypretty":
		var data bytes.Buffer
		e := goYaml.NewEncoder(&data)
		e.SetIndent(2)
		err := e.Encode(v)
		if err != nil {
			o.E = err.Error()
		}
		o.R = data.String()
	case "jdump":
		b, err := json.Marshal(v)
		if err != nil {
			o.E = err.Error()
		}
		o.R = string(b)
	case "jindent":
		b, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			o.E = err.Error()
		}
		o.R = string(b)
	case "jload":
		var x any
		err := json.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "jloadmap":
		x := map[string]any{}
		err := json.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "jloadlist":
		x := []any{}
		err := json.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	case "tdump":
		var b bytes.Buffer
		err := toml.NewEncoder(&b).Encode(v)
		if err != nil {
			o.E = err.Error()
		}
		o.R = b.String()
	case "tload":
		x := map[string]any{}
		err := toml.Unmarshal([]byte(i.Text), &x)
		if err != nil {
			o.E = err.Error()
		}
		o.R = typed(x)
	}
	return
}

// conv: json.Number -> float64, except {"$int": "5"} -> int64
func conv(v any) any {
	switch t := v.(type) {
	case json.Number:
		f, _ := t.Float64()
		return f
	case map[string]any:
		if len(t) == 1 {
			if s, ok := t["$int"]; ok {
				n, _ := json.Number(s.(string)).Int64()
				return n
			}
			if s, ok := t["$goint"]; ok {
				n, _ := json.Number(s.(string)).Int64()
				return int(n)
			}
		}
		for k, x := range t {
			t[k] = conv(x)
		}
		return t
	case []any:
		for k, x := range t {
			t[k] = conv(x)
		}
		return t
	}
	return v
}

func typed(v any) any {
	switch t := v.(type) {
	case map[string]any:
		r := map[string]any{}
		for k, x := range t {
			r[k] = typed(x)
		}
		return r
	case []any:
		r := []any{}
		for _, x := range t {
			r = append(r, typed(x))
		}
		return r
	case []map[string]any:
		r := []any{}
		for _, x := range t {
			r = append(r, typed(x))
		}
		return []any{"$maps", r}
	case nil, string, bool:
		return v
	}
	return map[string]any{"$": fmt.Sprintf("%T", v), "v": fmt.Sprint(v)}
}

func main() {
	s := bufio.NewReaderSize(os.Stdin, 1<<20)
	w := bufio.NewWriter(os.Stdout)
	defer w.Flush()
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for {
		line, err := s.ReadString('\n')
		if strings.TrimSpace(line) != "" {
			var i in
			if e := json.Unmarshal([]byte(line), &i); e != nil {
				panic(e)
			}
			enc.Encode(do(i))
		}
		if err != nil {
			return
		}
	}
}
