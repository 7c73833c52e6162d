package translate

import "slices"

// Why flags of elasticdump have no counterpart.
const (
	overloads  = "requests go as fast as the cluster takes them; limit bounds them"
	parallel   = "lanes says how many parts move at the same time"
	tries      = "a request that fails is tried again for as long as retry says"
	exact      = "numbers stay as they are, byte by byte"
	runFlag    = "sluice run has --quiet, --log-level and --report"
	customCode = "code of elasticdump cannot be run; transforms (rename, set, drop_fields, filter, jq) change records"
	queryAlone = "write what it does as a query of the source"
	csv        = "it is about CSV, and Sluice reads and writes JSON alone"
	forTLS     = "elasticdump uses it with --tlsAuth alone"
	forAWS     = "it has no effect without a host that --awsUrlRegex matches, and credentials for it"
	forS3      = "neither side is a bucket, or what belongs to it is missing"
	passphrase = "keys with a passphrase cannot be read: take it off (openssl rsa)"
)

// common are the flags of elasticdump and multielasticdump.
var common = []flag{
	{name: "input"}, {name: "output"},
	{name: "limit", why: "pages have a size in bytes (page, bulk)", idle: true},
	{name: "size", why: "there is no limit to the number of documents; a query can select some"},
	{name: "offset", why: "every document is read; a run that was interrupted goes on where it was"},
	{name: "debug", why: "run with --log-level debug", idle: true},
	{name: "quiet", why: runFlag, idle: true},
	{name: "maxSockets", why: parallel, idle: true},
	{name: "timeout", why: "requests that hang are tried again; what fails is never left out", idle: true},
	{name: "scrollTime", why: "it is for a source that is a cluster", idle: true},
	{name: "scrollId", why: "a run that was interrupted is resumed by the state of Sluice alone: it reads everything"},
	{name: "scroll-with-post", why: "requests that carry a body are POST anyway", idle: true},
	{name: "searchBody", why: "it is for a source that is a cluster"},
	{name: "searchWithTemplate", why: queryAlone},
	{name: "support-big-int", why: exact, idle: true},
	{name: "big-int-fields", why: exact, idle: true},
	{name: "transform", why: customCode},
	{name: "headers"}, {name: "params", why: "parameters of requests cannot be given"},
	{name: "input-params", why: "parameters of requests cannot be given"},
	{name: "output-params", why: "parameters of requests cannot be given, but pipeline and routing_field of the sink"},
	{name: "cert", why: forTLS}, {name: "key", why: forTLS}, {name: "pass", why: passphrase}, {name: "ca", why: forTLS}, {name: "tlsAuth"},
	{name: "input-cert", why: forTLS}, {name: "input-key", why: forTLS}, {name: "input-pass", why: passphrase}, {name: "input-ca", why: forTLS},
	{name: "output-cert", why: forTLS}, {name: "output-key", why: forTLS}, {name: "output-pass", why: passphrase}, {name: "output-ca", why: forTLS},
	{name: "httpAuthFile"}, {name: "prefix"}, {name: "suffix"},
	{name: "concurrency", why: parallel, idle: true}, {name: "intervalCap", why: overloads, idle: true},
	{name: "carryoverConcurrencyCount", why: overloads, idle: true}, {name: "concurrencyInterval", why: overloads, idle: true},
	{name: "overwrite", why: "it is for a sink that is files"}, {name: "skip-existing", why: "an index that exists stays as it is", idle: true},
	{name: "fsCompress"}, {name: "compressionLevel", why: "nothing is compressed", idle: true}, {name: "fileSize", why: "the sink is no files"},
	{name: "awsChain", why: forAWS}, {name: "awsAccessKeyId", why: forAWS}, {name: "awsSecretAccessKey", why: forAWS},
	{name: "awsIniFileProfile", why: forAWS}, {name: "awsService", why: forAWS}, {name: "awsRegion", why: forAWS}, {name: "awsUrlRegex", why: forAWS},
	{name: "s3AccessKeyId", why: forS3}, {name: "s3SecretAccessKey", why: forS3}, {name: "s3SessionToken", why: forS3}, {name: "s3Region", why: forS3},
	{name: "s3Endpoint", why: forS3}, {name: "s3SSLEnabled", on: true, why: forS3}, {name: "s3ForcePathStyle", why: forS3}, {name: "s3Compress", why: forS3},
	{name: "s3ServerSideEncryption", why: "the sink is no bucket"}, {name: "s3SSEKMSKeyId", why: "the sink is no bucket"}, {name: "s3ACL", why: "the sink is no bucket"},
	{name: "delete", why: "nothing is deleted; delete what was moved, or the old indices, yourself when a run was complete"},
}

// dumpVariables are those that elasticdump reads.
var dumpVariables = []string{
	"ELASTICDUMP_INPUT_USERNAME", "ELASTICDUMP_INPUT_PASSWORD", "ELASTICDUMP_OUTPUT_USERNAME", "ELASTICDUMP_OUTPUT_PASSWORD",
	"NODE_TLS_REJECT_UNAUTHORIZED",
}

// elasticdump is elasticdump as of 6.125 (elasticsearch-dump/elasticsearch-dump,
// bin/elasticdump), and what versions before 5 had for S3.
func elasticdump() *Tool {
	own := []flag{
		{name: "input-index"}, {name: "output-index"}, {name: "type"},
		{name: "delete-with-routing", why: "nothing is deleted at the source"},
		{name: "noRefresh", why: "nothing is refreshed: the engine does that by itself", idle: true},
		{name: "esCompress", why: "compression: auto compresses where that is faster", idle: true},
		{name: "inputTransport", why: customCode}, {name: "outputTransport", why: customCode},
		{name: "searchBodyTemplate", why: queryAlone},
		{name: "filterSystemTemplates", why: "templates are taken as they concern the indices", idle: true},
		{name: "templateRegex", why: "templates are taken as they concern the indices", idle: true},
		{name: "input-headers"}, {name: "output-headers"},
		{name: "sourceOnly", why: "it is for a sink that is files"}, {name: "jsonLines", why: "lines are what is written", idle: true},
		{name: "format", why: "records are written as JSON, a line each; jq . shows them to people"},
		{name: "ignore-errors", why: "records that are refused are dead letters; nothing else is passed over"},
		{name: "ignore-es-write-errors", on: true, why: "it is for a sink that is a cluster"},
		{name: "scrollRetryDelay", why: tries, idle: true}, {name: "toLog", why: runFlag, idle: true},
		{name: "s3StorageClass", why: "the sink is no bucket"},
		{name: "s3Options", why: "give what it says as options of the sink: storage_class, encryption, tags, …"},
		{name: "s3Configs", why: "give what it says as options of the stage: endpoint, region, path_style, …"},
		{name: "awsIniFileName", why: "name the file by AWS_CONFIG_FILE"}, {name: "sessionToken", why: forAWS},
		{name: "retryAttempts", why: tries, idle: true}, {name: "customBackoff", why: tries, idle: true},
		{name: "retryDelayBase", why: tries, idle: true}, {name: "retryDelay", why: tries, idle: true},
		{name: "parseExtraFields", why: "_routing is kept; of other metadata fields nothing is read"},
		{name: "bulkAction", why: "it is for a sink that is a cluster"}, {name: "maxRows", why: "the sink is no files"},
		{name: "inputSocksProxy"}, {name: "inputSocksPort"}, {name: "outputSocksProxy"}, {name: "outputSocksPort"},
		{name: "throttleInterval", why: overloads, idle: true},
		{name: "handleVersion", why: "no side is a cluster"}, {name: "versionType", why: "versions decide as external_gte does, and nothing else"},
		{name: "force-os-version", why: "the engine is found out", idle: true}, {name: "openSearchServerless"},
		{name: "searchAfter", why: "it is for a source that is a cluster", idle: true}, {name: "pit"}, {name: "pitKeepAlive"},
		{name: "heapSnapshot", why: "it is for those who develop elasticdump", idle: true},
		{name: "s3Bucket", why: "it belongs to --s3RecordKey"}, {name: "s3RecordKey", why: "it belongs to --s3Bucket"},
		{name: "bulk", why: "since elasticdump 2 it has no effect", idle: true},
		{name: "bulk-use-output-index-name", why: "since elasticdump 2 it has no effect", idle: true},
		{name: "all", why: "since elasticdump 2 it has no effect", idle: true},
	}
	for _, name := range []string{"Configs", "Delimiter", "RowDelimiter", "FirstRowAsHeaders", "RenameHeaders", "WriteHeaders", "HandleNestedData", "IdColumn",
		"IndexColumn", "TypeColumn", "CustomHeaders", "IgnoreEmpty", "IgnoreAutoColumns", "MaxRows", "SkipLines", "SkipRows", "Trim", "RTrim", "LTrim",
		"DiscardUnmappedColumns", "QuoteChar", "EscapeChar", "IncludeEndRowDelimiter"} {
		own = append(own, flag{name: "csv" + name, why: csv})
	}
	return &Tool{
		Name:      "elasticdump",
		About:     "elasticdump",
		Examples:  []string{"sluice init elasticdump -- --input=http://localhost:9200/logs --output=s3://archive/logs.json --s3Compress"},
		Variables: dumpVariables,
		Prefixes:  []string{"ELASTICDUMP_"},
		style:     style{greedy: true},
		flags:     slices.Concat(common, own),
		translate: elasticdumped,
	}
}
