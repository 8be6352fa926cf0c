// Command charts renders whole charts as `helm template` does, a chart a line.
//
// Orders come as JSON, one a line, on the standard input; each is answered by one line. All texts
// that may hold any bytes travel in base64.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"path"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader/archive"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	"helm.sh/helm/v4/pkg/strvals"
)

// A chart that takes longer is answered by the end of this program.
const patience = 10 * time.Second

type file struct {
	Name string `json:"name"`
	Data []byte `json:"data"`
}

type order struct {
	Files       []file   `json:"files"`
	Values      [][]byte `json:"values"`
	Set         []string `json:"set"`
	KubeVersion string   `json:"kube_version"`
	APIVersions []string `json:"api_versions"`
	IsUpgrade   bool     `json:"is_upgrade"`
}

type answer struct {
	Output []byte `json:"output"` // the manifest, then the hooks
	Notes  []byte `json:"notes"`
	Error  []byte `json:"error"`
	Panic  bool   `json:"panic"` // Helm itself would have crashed
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	log.SetOutput(io.Discard)
	orders := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		var one order
		if err := orders.Decode(&one); err != nil {
			if !errors.Is(err, io.EOF) {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
		late := time.AfterFunc(patience, func() { os.Exit(3) })
		result := one.answer()
		late.Stop()
		if err := answers.Encode(result); err != nil {
			os.Exit(1)
		}
	}
}

func (o order) answer() (result answer) {
	defer func() {
		if reason := recover(); reason != nil {
			result = answer{Panic: true, Error: fmt.Append(nil, reason)}
		}
	}()
	output, notes, err := o.render()
	if err != nil {
		return answer{Error: []byte(err.Error())}
	}
	return answer{Output: []byte(output), Notes: []byte(notes)}
}

func (o order) render() (string, string, error) {
	given, err := o.given()
	if err != nil {
		return "", "", err
	}
	var files []*archive.BufferedFile
	for _, one := range o.Files {
		files = append(files, &archive.BufferedFile{Name: one.Name, Data: one.Data})
	}
	loaded, err := loader.LoadFiles(files)
	if err != nil {
		return "", "", err
	}
	if err := chartutil.ProcessDependencies(loaded, given); err != nil {
		return "", "", fmt.Errorf("chart dependencies processing failed: %w", err)
	}
	capabilities, err := o.capabilities()
	if err != nil {
		return "", "", err
	}
	release := common.ReleaseOptions{
		Name: "demo", Namespace: "prod", Revision: 1, IsInstall: !o.IsUpgrade, IsUpgrade: o.IsUpgrade,
	}
	data, err := commonutil.ToRenderValuesWithSchemaValidation(loaded, given, release, capabilities, false)
	if err != nil {
		return "", "", err
	}
	wanted := loaded.Metadata.KubeVersion
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return "", "", fmt.Errorf("chart requires kubeVersion: %s which is incompatible with Kubernetes %s",
			wanted, capabilities.KubeVersion.Version)
	}
	return render(loaded, data)
}

// given reads the user's values: files first, then what `--set` says.
func (o order) given() (map[string]any, error) {
	values := map[string]any{}
	for _, text := range o.Values {
		read, err := loader.LoadValues(bytes.NewReader(text))
		if err != nil {
			return nil, fmt.Errorf("failed to parse values: %w", err)
		}
		values = loader.MergeMaps(values, read)
	}
	for _, text := range o.Set {
		if err := strvals.ParseInto(text, values); err != nil {
			return nil, fmt.Errorf("failed parsing --set data: %w", err)
		}
	}
	return values, nil
}

func (o order) capabilities() (*common.Capabilities, error) {
	capabilities := common.DefaultCapabilities.Copy()
	version, err := common.ParseKubeVersion(o.KubeVersion)
	if err != nil {
		return nil, err
	}
	capabilities.KubeVersion = *version
	capabilities.APIVersions = append(capabilities.APIVersions, o.APIVersions...)
	return capabilities, nil
}

func render(loaded *chart.Chart, data common.Values) (string, string, error) {
	texts, err := engine.Engine{}.Render(loaded, data)
	if err != nil {
		return "", "", err
	}
	notes := ""
	for name, text := range texts {
		if strings.HasSuffix(name, "NOTES.txt") {
			if name == path.Join(loaded.Name(), "templates", "NOTES.txt") {
				notes = text
			}
			delete(texts, name)
		}
	}
	hooks, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", "", err
	}
	var out bytes.Buffer
	for _, one := range manifests {
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", one.Name, one.Content)
	}
	text := strings.TrimSpace(out.String()) + "\n"
	for _, one := range hooks {
		text += fmt.Sprintf("---\n# Source: %s\n%s\n", one.Path, one.Manifest)
	}
	return text, notes, nil
}
