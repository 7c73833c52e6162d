package main

import (
	"github.com/spf13/cobra"

	"sluice/internal/config"
)

func schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON schema of configurations, for editors",
		Long: `Print the JSON schema of configurations.

An editor that knows YAML by a schema completes options, explains them and marks
mistakes. For those with the YAML language server (VS Code, Neovim, Emacs, Zed),
write the schema to a file and name it in the first line of the configuration;
JetBrains editors take the file under Settings, JSON Schema Mappings.`,
		Example: `  sluice schema > sluice.schema.json

  # yaml-language-server: $schema=./sluice.schema.json
  pipelines:`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(config.Schema())
			return err
		},
	}
}
