// Command gopher-lua reads objects, a JSON value each, and says of each what a health check of Argo CD answers: a line
// of JSON. The check is the file that the only argument names.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

// Argo CD gives a check this long.
const patience = time.Second

// What Argo CD lets a check use, unless it is told otherwise.
var libraries = []struct {
	name string
	open lua.LGFunction
}{
	{lua.LoadLibName, lua.OpenPackage},
	{lua.BaseLibName, lua.OpenBase},
	{lua.TabLibName, lua.OpenTable},
}

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: gopher-lua CHECK.lua <OBJECTS.json")
	}
	check, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatalf("failed to read the check: %v", err)
	}
	objects, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var object any
		if err := objects.Decode(&object); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatalf("failed to read an object: %v", err)
		}
		health, err := judge(string(check), object)
		if err != nil {
			log.Fatalf("failed to judge an object: %v", err)
		}
		if err := answers.Encode(health); err != nil {
			log.Fatalf("failed to say what came of it: %v", err)
		}
	}
}

// Runs the check on an object: what it returns last is a table.
func judge(check string, object any) (json.RawMessage, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range libraries {
		open := lua.P{Fn: state.NewFunction(library.open), Protect: true}
		if err := state.CallByParam(open, lua.LString(library.name)); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	state.SetContext(ctx)
	state.SetGlobal("obj", luajson.DecodeValue(state, object))
	if err := state.DoString(check); err != nil {
		return nil, err
	}
	health, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return nil, fmt.Errorf("the check returns %s, no table", state.Get(-1).Type())
	}
	return luajson.Encode(health)
}
