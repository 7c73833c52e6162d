package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"strings"
	"time"
)

// bom is a bill of materials as CycloneDX 1.6 has it.
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Serial     string      `json:"serialNumber"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
	Needs      []need      `json:"dependencies"`
}

type metadata struct {
	Time    time.Time `json:"timestamp"`
	Program component `json:"component"`
}

type component struct {
	Type       string     `json:"type"`
	Ref        string     `json:"bom-ref"`
	Name       string     `json:"name"`
	Version    string     `json:"version"`
	Hashes     []hash     `json:"hashes,omitempty"`
	PURL       string     `json:"purl"`
	Properties []property `json:"properties,omitempty"`
}

type hash struct {
	Alg     string `json:"alg"`
	Content string `json:"content"`
}

type property struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type need struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn"`
}

// materials gives the bill of materials of a program: the modules that are in
// it, with their sums as go.sum has them, and Go's own library.
func materials(info *debug.BuildInfo, program []byte, t time.Time) ([]byte, error) {
	sum := sha256.Sum256(program)
	main := module(&info.Main)
	main.Type, main.Hashes = "application", []hash{{"SHA-256", fmt.Sprintf("%x", sum)}}
	for _, s := range info.Settings {
		if s.Key == "GOOS" || s.Key == "GOARCH" || strings.HasPrefix(s.Key, "vcs.") {
			main.Properties = append(main.Properties, property{"go:build:" + s.Key, s.Value})
		}
	}
	b := bom{
		Format: "CycloneDX", Spec: "1.6", Version: 1, Serial: serial(sum),
		Metadata:   metadata{t.UTC(), main},
		Components: []component{module(&debug.Module{Path: "std", Version: "v" + strings.TrimPrefix(info.GoVersion, "go")})},
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		b.Components = append(b.Components, module(m))
	}
	on := need{Ref: main.Ref}
	for _, c := range b.Components {
		on.On = append(on.On, c.Ref)
	}
	b.Needs = []need{on}
	text, err := json.MarshalIndent(b, "", "  ")
	return append(text, '\n'), err
}

func module(m *debug.Module) component {
	c := component{Type: "library", Name: m.Path, Version: m.Version, PURL: "pkg:golang/" + m.Path + "@" + strings.ReplaceAll(m.Version, "+", "%2B")}
	c.Ref = c.PURL
	if m.Sum != "" {
		c.Properties = []property{{"go:sum", m.Sum}}
	}
	return c
}

// serial is a UUID made of a checksum (version 8: of whatever).
func serial(sum [sha256.Size]byte) string {
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("urn:uuid:%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
