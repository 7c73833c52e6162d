package docs_test

// settings says of pages what there is before.
var settings = map[string]setting{
	"docs/tutorial.md":            {indices: []string{"orders", "orders-copy", "orders-strict", "orders-live"}, buckets: []string{"archive"}, makes: true},
	"docs/how-to/search-to-s3.md": {indices: []string{"weblogs"}, buckets: []string{"archive"}, before: `fill weblogs 5000`},
	"docs/how-to/s3-to-search.md": {indices: []string{"weblogs"}, buckets: []string{"archive"}, before: `
printf '{"_index":"weblogs","_id":"%s","_source":{"n":1.0}}\n' 1 2 3 | gzip | aws s3 cp - s3://archive/logs/weblogs/1.json.gz
printf '{"settings":{"number_of_shards":"2"},"mappings":{"properties":{"n":{"type":"double"}}}}' | aws s3 cp - s3://archive/logs/weblogs/_index.json`},
	"docs/how-to/search-to-search.md": {indices: []string{"weblogs", "moved-weblogs"}, before: `fill weblogs 5000`},
	"docs/how-to/s3-to-s3.md": {buckets: []string{"photos", "photos-copy"}, before: `
for key in a b c d e f g h i j; do echo $key | aws s3 cp - s3://photos/2026/$key.txt; done`},
	"docs/how-to/s3-to-git.md": {buckets: []string{"backups"}, repository: true, before: `
for name in a b c d e f; do
	printf 'apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  uid: 17\nspec: {}\n' $name | aws s3 cp - s3://backups/clusterbackup/prod/web/service/$name.yaml
done`},
	"docs/how-to/git-to-s3.md": {buckets: []string{"desired"}, repository: true, before: `
git init -q -b main work && mkdir -p work/clusters/prod && cd work
echo 'kind: Service' >clusters/prod/a.yaml; echo 'kind: Service' >clusters/prod/b.yaml; echo '# clusters' >clusters/README.md
git add . && git -c user.name=n -c user.email=e commit -q -m first && git push -q https://git.example/team/clusters.git main
cd`},
	"docs/how-to/follow-an-index.md": {indices: []string{"weblogs", "followed"}, before: `fill weblogs 5000`},
	"docs/how-to/dead-letters.md": {indices: []string{"strict"}, buckets: []string{"incoming"}, before: `
printf '{"_id":"%s","_source":{"took":%s}}\n' 1 17 2 '"18ms"' 3 '"fast"' 4 19 | aws s3 cp - s3://incoming/a.json`},
	"docs/how-to/coming-from.md": {indices: []string{"strict"}},
}
