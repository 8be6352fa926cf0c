// Command judges reads a list of questions from standard input and writes the list of answers.
//
// A question is {"judge": "kstatus", "object": …} or {"judge": "lua", "script": …, "object": …,
// "parameters": …}. An answer is {"status", "message"}, or {"returned"} for Lua, or {"error"}.
package main

import (
	"context"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	luajson "layeh.com/gopher-json"
)

type question struct {
	Judge      string                    `json:"judge"`
	Script     string                    `json:"script"`
	Object     unstructured.Unstructured `json:"object"`
	Parameters map[string]string         `json:"parameters"`
}

type answer struct {
	Status   string          `json:"status,omitempty"`
	Message  string          `json:"message,omitempty"`
	Returned json.RawMessage `json:"returned,omitempty"`
	Error    string          `json:"error,omitempty"`
}

func main() {
	var questions []question
	if err := json.NewDecoder(os.Stdin).Decode(&questions); err != nil {
		log.Fatal(err)
	}
	answers := make([]answer, 0, len(questions))
	for _, asked := range questions {
		answers = append(answers, answered(asked))
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatal(err)
	}
}

func answered(asked question) answer {
	if asked.Judge == "kstatus" {
		result, err := status.Compute(&asked.Object)
		if err != nil {
			return answer{Error: err.Error()}
		}
		return answer{Status: result.Status.String(), Message: result.Message}
	}
	returned, err := run(asked)
	if err != nil {
		return answer{Error: err.Error()}
	}
	return answer{Returned: returned}
}

// run gives a script what Argo CD gives it: no libraries but these, one second, and two globals.
func run(asked question) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
		lua.LoadLibName: lua.OpenPackage,
	} {
		call := lua.P{Fn: state.NewFunction(open), Protect: true}
		if err := state.CallByParam(call, lua.LString(name)); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, clockAlone)
	limited, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limited)
	parameters := state.NewTable()
	for name, value := range asked.Parameters {
		parameters.RawSetString(name, lua.LString(value))
	}
	state.SetGlobal("actionParams", parameters)
	state.SetGlobal("obj", inLua(state, asked.Object.Object))
	if err := state.DoString(asked.Script); err != nil {
		return nil, err
	}
	return luajson.Encode(state.Get(-1))
}

// clockAlone is Argo CD's `os`: what tells the time, and nothing that reaches the machine.
func clockAlone(state *lua.LState) int {
	whole := lua.NewState()
	defer whole.Close()
	module := state.NewTable()
	for _, name := range []string{"time", "date"} {
		known := whole.GetField(whole.GetGlobal(lua.OsLibName), name).(*lua.LFunction)
		module.RawSetString(name, state.NewFunction(known.GFunction))
	}
	state.Push(module)
	return 1
}

func inLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case float64:
		return lua.LNumber(known)
	case int64:
		return lua.LNumber(known)
	case []any:
		list := state.NewTable()
		for _, item := range known {
			list.Append(inLua(state, item))
		}
		return list
	case map[string]any:
		table := state.NewTable()
		for name, item := range known {
			table.RawSetString(name, inLua(state, item))
		}
		return table
	}
	return lua.LNil
}
