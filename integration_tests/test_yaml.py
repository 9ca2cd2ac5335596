"""The nodes in YAML, in fresh processes: registered whichever package is imported first."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
{imports}
pipeline = Pipeline.load_from_yaml({path!r}, pipeline_name="query")
store = pipeline.get_node("Reader").document_store
if not store.get_document_count():
    store.write_documents([{{"content": "paris is the capital of france"}}, {{"content": "the river"}}])
result = pipeline.run(query="paris", documents=store.get_all_documents(), params={{"Reader": {{"debug": True}}}})
answers = [(answer.answer, answer.offsets_in_document[0].start) for answer in result["answers"]]
debug = result["_debug"]["Reader"]["runtime"]
assert debug["computed"] == 0 and debug["found"] == 2, debug
pipeline.save_to_yaml({saved!r})
print(answers, pipeline.get_node("Reader").top_k)
"""

YAML = """
version: ignore
components:
  - name: DocumentStore
    type: DeFormerFAISSDocumentStore
    params:
      {{embedding_dim: 8, deformer_model: {model}, sql_url: "sqlite:///{folder}/store.db", validate_index_sync: false}}
  - name: Reader
    type: DeFormerReader
    params: {{model_name_or_path: {model}, document_store: DocumentStore, top_k: 1}}
pipelines:
  - name: query
    nodes:
      - {{name: Reader, inputs: [Query]}}
"""


def run(path: Path, saved: Path, imports: str) -> str:
    script = SCRIPT.format(imports=imports, path=str(path), saved=str(saved))
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize(
    "imports",
    [
        "from haystack import Pipeline\nimport haystack_deformer",
        "import haystack_deformer\nfrom haystack import Pipeline",
        "import haystack_deformer, importlib.util\nimportlib.util.find_spec('haystack')\nfrom haystack import Pipeline",
    ],
    ids=["haystack-first", "haystack-last", "haystack-asked-for"],
)
def test_yaml_round_trip(tiny_deformer: Path, tmp_path: Path, imports: str) -> None:
    path, saved = tmp_path / "pipeline.yaml", tmp_path / "saved.yaml"
    path.write_text(YAML.format(model=tiny_deformer, folder=tmp_path))
    first = run(path, saved, imports)
    assert run(saved, tmp_path / "again.yaml", imports) == first
