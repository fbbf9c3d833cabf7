"""What a result depends on is in the version that a run is named by."""

from agent.desk import _version_of


def test_sources_and_fitted_parameters_count_and_the_command_line_does_not(tmp_path):
    def version(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return _version_of(tmp_path)

    first = version("a.py", "x = 1")
    assert version("a.py", "x = 2") != first
    second = version("stages/decision.json", '{"own": 1}')
    assert version("stages/decision.json", '{"own": 2}') != second
    third = _version_of(tmp_path)
    assert version("cli/main.py", "y = 1") == third
    assert version("notes.txt", "z") == third
