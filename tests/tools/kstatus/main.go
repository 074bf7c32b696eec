// Command kstatus reads objects, a JSON value each, and says of each how kstatus judges it: a line of JSON.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type verdict struct {
	Status  status.Status `json:"status"`
	Message string        `json:"message"`
}

func main() {
	log.SetFlags(0)
	objects, verdicts := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		// Numbers as the API machinery wants them: integers where they are some.
		var raw json.RawMessage
		if err := objects.Decode(&raw); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			log.Fatalf("failed to read an object: %v", err)
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(raw); err != nil {
			log.Fatalf("failed to read an object: %v", err)
		}
		result, err := status.Compute(object)
		if err != nil {
			log.Fatalf("failed to judge %s %s: %v", object.GetKind(), object.GetName(), err)
		}
		if err := verdicts.Encode(verdict{result.Status, result.Message}); err != nil {
			log.Fatalf("failed to say what came of it: %v", err)
		}
	}
}
