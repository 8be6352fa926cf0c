// helm_render renders charts with Helm's own packages and says how long it took.
//
// Orders come as JSON, one a line, on the standard input; each is answered by one line. Only what
// Helm does with a chart is timed: neither this conversation nor the making of fresh copies.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"helm.sh/helm/v4/pkg/chart/common"
	commonutil "helm.sh/helm/v4/pkg/chart/common/util"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
)

type order struct {
	Archive     string   `json:"archive"`
	Values      []string `json:"values"` // YAML, one text a run
	Load        bool     `json:"load"`   // reading the archive belongs to what is timed
	KubeVersion string   `json:"kube_version"`
	APIVersions []string `json:"api_versions"`
	IsUpgrade   bool     `json:"is_upgrade"`
	SkipSchema  bool     `json:"skip_schema"`
}

type answer struct {
	Seconds  []float64 `json:"seconds"`
	Manifest string    `json:"manifest"` // of the last run, without hooks
	Error    string    `json:"error"`
}

func main() {
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil)))
	orders := json.NewDecoder(os.Stdin)
	answers := json.NewEncoder(os.Stdout)
	for {
		var one order
		if err := orders.Decode(&one); err != nil {
			if err != io.EOF {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
		result := answer{Seconds: []float64{}}
		if err := one.run(&result); err != nil {
			result.Error = err.Error()
		}
		if err := answers.Encode(result); err != nil {
			os.Exit(1)
		}
	}
}

func (o order) run(result *answer) error {
	capabilities, err := o.capabilities()
	if err != nil {
		return err
	}
	for _, text := range o.Values {
		values, err := common.ReadValues([]byte(text))
		if err != nil {
			return err
		}
		var loaded *chart.Chart
		if !o.Load {
			// Rendering changes a chart, so each run has one of its own.
			if loaded, err = loader.LoadFile(o.Archive); err != nil {
				return err
			}
		}
		runtime.GC()
		begun := time.Now()
		if o.Load {
			if loaded, err = loader.LoadFile(o.Archive); err != nil {
				return err
			}
		}
		manifest, err := o.render(loaded, values, capabilities)
		taken := time.Since(begun).Seconds()
		if err != nil {
			return err
		}
		result.Seconds = append(result.Seconds, taken)
		result.Manifest = manifest
	}
	return nil
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

// render does what `helm install` does between a loaded chart and the first word to the cluster.
func (o order) render(c *chart.Chart, values common.Values, capabilities *common.Capabilities) (string, error) {
	if err := chartutil.ProcessDependencies(c, values); err != nil {
		return "", err
	}
	release := common.ReleaseOptions{
		Name: "demo", Namespace: "prod", Revision: 1, IsInstall: !o.IsUpgrade, IsUpgrade: o.IsUpgrade,
	}
	data, err := commonutil.ToRenderValuesWithSchemaValidation(c, values, release, capabilities, o.SkipSchema)
	if err != nil {
		return "", err
	}
	wanted := c.Metadata.KubeVersion
	if wanted != "" && !chartutil.IsCompatibleRange(wanted, capabilities.KubeVersion.String()) {
		return "", fmt.Errorf("chart requires kubeVersion: %s", wanted)
	}
	texts, err := engine.Engine{}.Render(c, data)
	if err != nil {
		return "", err
	}
	for name := range texts {
		if strings.HasSuffix(name, "NOTES.txt") {
			delete(texts, name)
		}
	}
	_, manifests, err := releaseutil.SortManifests(texts, nil, releaseutil.InstallOrder)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	for _, one := range manifests {
		fmt.Fprintf(&out, "---\n# Source: %s\n%s\n", one.Name, one.Content)
	}
	return out.String(), nil
}
